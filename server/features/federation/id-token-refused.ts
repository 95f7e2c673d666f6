/** Why an ID token is refused, as one word for the log. */
export type IdTokenReason =
  // The form, checked before any cryptography.
  | ('form' | 'header' | 'header_parameter' | 'typ' | 'alg' | 'kid' | 'iss')
  | 'signature'
  // The claims.
  | ('claims' | 'aud' | 'azp' | 'exp' | 'iat' | 'nbf' | 'nonce' | 'auth_time')
  /** A second use. */
  | 'used'
  // The person has no account, and none may be created or linked.
  | ('email' | 'sign_up' | 'identity' | 'account_changed')

/** An ID token is refused. The reason goes to the log, not to the client. */
export class IdTokenRefused extends Error {
  override readonly name = 'IdTokenRefused'
  readonly reason: IdTokenReason

  constructor(reason: IdTokenReason) {
    super(reason)
    this.reason = reason
  }
}
