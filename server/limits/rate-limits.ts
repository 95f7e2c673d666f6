import { RateLimiterMemory, type RateLimiterRes } from 'rate-limiter-flexible'
import type { Config } from '../config.ts'
import { rateLimited } from '../errors.ts'

export type LimitedAction = keyof Config['rateLimits']

export interface RateLimits {
  /**
   * Counts one more of an action for an address or an account.
   *
   * @throws HttpError 429 with `Retry-After` when there were too many.
   */
  consume(action: LimitedAction, by: 'address' | 'account', key: string): Promise<void>
}

/**
 * Fixed windows, counted in this process's memory. Yours to replace: with several servers, one of
 * the library's shared stores, or the limit is per server.
 */
export function createRateLimits(limits: Config['rateLimits']): RateLimits {
  const limiters = new Map(
    Object.entries(limits).flatMap(([action, limit]) =>
      limit === 'off'
        ? []
        : [
            [
              action,
              new RateLimiterMemory({ points: limit.count, duration: limit.duration }),
            ] as const,
          ],
    ),
  )
  return {
    async consume(action, by, key) {
      try {
        await limiters.get(action)?.consume(`${by}:${key}`)
      } catch (refusal) {
        throw rateLimited((refusal as RateLimiterRes).msBeforeNext / 1000)
      }
    },
  }
}
