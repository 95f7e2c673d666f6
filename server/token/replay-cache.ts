import { createHash } from 'node:crypto'
import { BINDING_TOLERANCE } from './binding.ts'

/** Remembers which bound requests have been seen. An interface, so that several servers can share one. */
export interface ReplayCache {
  /**
   * Remembers an identifier for as long as its binding is accepted.
   *
   * @param now Milliseconds since the epoch.
   * @returns `full` when it cannot be remembered: the request must then be refused.
   */
  remember(id: string, now: number): Promise<'new' | 'seen' | 'full'>
}

/** An `iat` may lie this far ahead and is good for as long again: milliseconds. */
const MEMORY = (2 * BINDING_TOLERANCE + 1) * 1000

/**
 * A cache in memory. Identifiers are kept as hashes in two generations, of which the older is
 * forgotten as a whole: no timers, and never more than `2 × capacity` entries of about 100 bytes.
 */
export function createReplayCache(capacity = 100_000): ReplayCache {
  let current = new Set<string>()
  let previous = new Set<string>()
  let begun = -Infinity
  return {
    remember(id, now) {
      if (now - begun >= MEMORY) {
        previous = now - begun >= 2 * MEMORY ? new Set() : current
        current = new Set()
        begun = now
      }
      const hash = createHash('sha256').update(id).digest('base64url')
      if (current.has(hash) || previous.has(hash)) return Promise.resolve('seen')
      if (current.size >= capacity) return Promise.resolve('full')
      current.add(hash)
      return Promise.resolve('new')
    },
  }
}
