/** Why a well-formed request is refused. */
export type RefusalReason =
  /** No client with that id is registered, or it no longer is. */
  | 'unknown_client'
  /** The message says what is wrong. */
  | 'invalid_client_metadata'
  /** The policy refuses a new password. The message names the member of the body and says why. */
  | 'weak_password'
  /** A signed-in person was asked for their password again, and it was wrong. */
  | 'wrong_password'
  /** The session ended while the request was under way. */
  | 'session_ended'
  /** The password or the scope of the account changed while the request was under way. */
  | 'account_changed'

/** Refuses a request. http/error-handler.ts maps each reason to an answer. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError'
  readonly reason: RefusalReason

  /** @param message One sentence for the client, if the reason does not say everything. */
  constructor(reason: RefusalReason, message: string = reason) {
    super(message)
    this.reason = reason
  }
}
