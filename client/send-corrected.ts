import type { Reader, ReadingKey } from './discovery/reader.ts'

/** A sealed request, which can be sealed again and sent again. */
interface SealedRequest<Answer> {
  readonly reader: Reader
  /** The curve that the reader's key must be on, if the token is key-bound. */
  readonly crv?: string | undefined
  /** Seconds since the epoch, by the server's clock as estimated. */
  readonly now: () => number
  /** Seconds that the two clocks may differ without a retry. */
  readonly tolerance: number
  /**
   * Seals and sends it.
   *
   * @param used The reader's key and `enc`.
   * @param now By the reader's clock, if that has turned out to be another.
   */
  readonly send: (used: ReadingKey, now: () => number) => Promise<Answer>
  /**
   * The date of an answer that refuses the request, if another key or another time may mend that:
   * seconds since the epoch, NaN without one. `undefined` for any other answer.
   */
  readonly dateOfRefusal: (answer: Answer) => number | undefined | Promise<number | undefined>
}

/**
 * Sends a sealed request. If it is refused, sends it again: sealed to the reader's newest key, if that
 * has changed, then by the reader's clock, if this machine's clock is wrong. The date applies to this
 * request only, because it is not signed.
 */
export async function sendCorrected<Answer>(request: SealedRequest<Answer>): Promise<Answer> {
  const { reader, crv, now, tolerance, send, dateOfRefusal } = request
  let used = await reader.key(crv)
  let answer = await send(used, now)
  if ((await dateOfRefusal(answer)) !== undefined && (await reader.hasRotated(used, crv))) {
    used = await reader.key(crv)
    answer = await send(used, now)
  }
  const ahead = ((await dateOfRefusal(answer)) ?? NaN) - now()
  // Without a date, or without a refusal, `ahead` is NaN, and the answer stands.
  return Math.abs(ahead) > tolerance ? send(used, () => now() + ahead) : answer
}
