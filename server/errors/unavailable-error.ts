/**
 * Something that a request needs is unavailable or overloaded, so the request is neither refused
 * nor carried out. The message is for the log, and so is its `cause`.
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
