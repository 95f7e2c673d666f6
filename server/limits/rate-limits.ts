import { hash } from 'node:crypto'
import { RateLimiterRes } from 'rate-limiter-flexible'
import type { RateLimit } from '../config/parsers.ts'
import { UnavailableError } from '../errors/unavailable-error.ts'
import { createMemoryLimiter } from './memory-limiter.ts'
import { TooManyTries } from '../errors/too-many-tries.ts'

/** The limits of several actions. */
export interface RateLimits<Action extends string> {
  /**
   * Counts one more of an action for an address or an account.
   *
   * @throws TooManyTries; UnavailableError if it cannot be counted.
   */
  consume(action: Action, by: 'address' | 'account', key: string): Promise<void>
}

/** Any store of rate-limiter-flexible, as far as it is used here. */
export interface Limiter {
  /** Rejects with a RateLimiterRes for one too many, and with anything else when the store fails. */
  consume(key: string): Promise<unknown>
}

/**
 * @param limit `duration` in seconds.
 * @param name Of what is limited.
 */
export type CreateLimiter = (limit: { count: number; duration: number }, name: string) => Limiter

/** Seconds to wait for a store that cannot be reached. */
const STORE_RETRY = 5

/** @param createLimiter Decides where it is counted: see limit-store.ts. */
export function createRateLimits<Action extends string>(
  limits: Readonly<Record<Action, RateLimit | 'off'>>,
  createLimiter: CreateLimiter = (limit) => createMemoryLimiter(limit),
): RateLimits<Action> {
  const limiters = new Map(
    Object.entries<RateLimit | 'off'>(limits).flatMap(([action, limit]) =>
      limit === 'off' ? [] : [[action, createLimiter(limit, action)] as const],
    ),
  )
  return {
    async consume(action, by, key) {
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
