/**
 * Something that a request needs is away or overloaded. The request is neither refused nor done.
 * The message is for the log; a `cause` is logged with it.
 */
export class UnavailableError extends Error {
  override readonly name = 'UnavailableError'
  /** Seconds after which it is worth trying again. */
  readonly retryAfter: number

  constructor(message: string, retryAfter: number, options?: ErrorOptions) {
    super(message, options)
    this.retryAfter = retryAfter
  }
}
