/** Why a service client is not authenticated, as one word for the log. */
export type AssertionReason =
  // The request.
  | ('assertion_missing' | 'assertion_type' | 'client_id')
  // The form, checked before any cryptography.
  | ('form' | 'typ' | 'alg' | 'claims')
  // No client with this name is registered.
  | 'unknown_client'
  | 'signature'
  // The claims.
  | ('iss' | 'sub' | 'aud' | 'exp' | 'nbf' | 'iat')
  // A second use.
  | 'used'

/** A service client is not authenticated. The reason goes to the log, not to the client. */
export class AssertionRefused extends Error {
  override readonly name = 'AssertionRefused'
  readonly reason: AssertionReason

  constructor(reason: AssertionReason) {
    super(reason)
    this.reason = reason
  }
}
