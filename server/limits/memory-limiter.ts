import { RateLimiterMemory } from 'rate-limiter-flexible'
import type { Limiter } from './rate-limits.ts'

/** The most keys, at about 300 bytes each. */
const CAPACITY = 50_000

/**
 * Counts in fixed windows, in this process's memory. The library alone would keep any number of
 * keys. This drops the oldest window to make room: a limit per address does not stop a sender with
 * that many addresses anyway.
 *
 * @param limit Its `duration` is in seconds.
 */
export function createMemoryLimiter(
  limit: { readonly count: number; readonly duration: number },
  capacity = CAPACITY,
): Limiter {
  const limiter = new RateLimiterMemory({ points: limit.count, duration: limit.duration })
  /** When each key's window ends, milliseconds since the epoch. The oldest window comes first. */
  const windows = new Map<string, number>()

  function makeRoom(now: number): void {
    for (const [key, end] of windows) {
      if (end > now && windows.size < capacity) return
      windows.delete(key)
      void limiter.delete(key)
    }
  }

  return {
    consume(key) {
      const now = Date.now()
      if ((windows.get(key) ?? now) <= now) {
        windows.delete(key)
        makeRoom(now)
        windows.set(key, now + limit.duration * 1000)
      }
      return limiter.consume(key)
    },
  }
}
