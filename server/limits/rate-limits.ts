import { hash } from 'node:crypto'
import { RateLimiterRes } from 'rate-limiter-flexible'
import type { RateLimit } from '../config/parsers.ts'
import { UnavailableError } from '../errors/unavailable-error.ts'
import { TooManyTries } from '../errors/too-many-tries.ts'

/** The part of rate-limiter-flexible's stores that is used here. */
export interface Limiter {
  /**
   * Rejects with a RateLimiterRes if the limit is exceeded, and with any other error if the store
   * fails.
   */
  consume(key: string): Promise<unknown>
}

/**
 * @param limit Its `duration` is in seconds.
 * @param name The name of the limit.
 */
export type CreateLimiter = (limit: { count: number; duration: number }, name: string) => Limiter

/** Seconds after which to retry if the store cannot be reached. */
const STORE_RETRY = 5

/** The rate limits of several actions. */
export type RateLimits<Action extends string> = ReturnType<typeof createRateLimits<Action>>

/** @param createLimiter Decides where actions are counted: see limit-store.ts. */
export function createRateLimits<Action extends string>(
  limits: Readonly<Record<Action, RateLimit | 'off'>>,
  createLimiter: CreateLimiter,
) {
  const limiters = new Map(
    Object.entries<RateLimit | 'off'>(limits).flatMap(([action, limit]) =>
      limit === 'off' ? [] : [[action, createLimiter(limit, action)] as const],
    ),
  )
  return {
    /**
     * Counts an action for an address or an account.
     *
     * @throws TooManyTries if the limit is exceeded; UnavailableError if the action cannot be
     *   counted.
     */
    async consume(action: Action, by: 'address' | 'account', key: string): Promise<void> {
      // Hashed, because a key may be long and holds personal data.
      const id = hash('sha256', `${by}:${key}`, 'base64url')
      try {
        await limiters.get(action)?.consume(id)
      } catch (rejection) {
        if (rejection instanceof RateLimiterRes) {
          throw new TooManyTries('requests', rejection.msBeforeNext / 1000)
        }
        throw new UnavailableError('the rate limits cannot be counted', STORE_RETRY, {
          cause: rejection,
        })
      }
    },
  }
}
