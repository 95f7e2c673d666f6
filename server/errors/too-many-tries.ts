/** The caller has tried too often and must wait. */
export class TooManyTries extends Error {
  override readonly name = 'TooManyTries'
  /** What was counted. */
  readonly limit: 'requests' | 'wrong_passwords'
  /** Seconds to wait. */
  readonly retryAfter: number

  constructor(limit: TooManyTries['limit'], retryAfter: number) {
    super(`too many ${limit}`)
    this.limit = limit
    this.retryAfter = retryAfter
  }
}
