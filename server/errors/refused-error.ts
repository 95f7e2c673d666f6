/** Why the domain refuses a request that is well-formed. */
export type RefusalReason =
  /** No client of that id is registered, or not any more. */
  | 'unknown_client'
  /** The message says what is wrong. */
  | 'invalid_client_metadata'
  /** A new password that the policy refuses. The message names the member of the body and says why. */
  | 'weak_password'
  /** Somebody who is signed in was asked for their password again, and it was another. */
  | 'wrong_password'
  /** While a request was under way, its session ended. */
  | 'session_ended'
  /** While a request was under way, the password or the scope of its account changed. */
  | 'account_changed'

/** A request that the domain refuses. http/error-handler.ts has the answer to each reason. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError'
  readonly reason: RefusalReason

  /** @param message One sentence for the client, if the reason does not say everything. */
  constructor(reason: RefusalReason, message: string = reason) {
    super(message)
    this.reason = reason
  }
}
