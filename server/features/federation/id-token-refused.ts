/** Why an ID token is refused, in a word for the log. */
export type IdTokenReason =
  // Its form, before any cryptography.
  | ('form' | 'header' | 'header_parameter' | 'typ' | 'alg' | 'kid' | 'iss')
  | 'signature'
  // The claims.
  | ('claims' | 'aud' | 'azp' | 'exp' | 'iat' | 'nbf' | 'nonce' | 'auth_time')
  /** A second use. */
  | 'used'
  // The person: none is known, and none may be made.
  | ('email' | 'sign_up' | 'identity' | 'account_changed')

/** An ID token that is refused. A client does not learn why: only the log does. */
export class IdTokenRefused extends Error {
  override readonly name = 'IdTokenRefused'
  readonly reason: IdTokenReason

  constructor(reason: IdTokenReason) {
    super(reason)
    this.reason = reason
  }
}
