import { createHash } from 'node:crypto'
import { BINDING_TOLERANCE } from '../../protocol/binding.ts'
import { createFrequentKeys } from './frequent-keys.ts'

/** Remembers which bound requests have been seen. An interface, so that several servers can share one. */
export interface ReplayCache {
  /**
   * Remembers an identifier for as long as its binding is accepted.
   *
   * @param now Milliseconds since the epoch.
   * @param account Who sends it. Nobody may fill more than half of the cache.
   * @returns `full` and `account_full` when it cannot be remembered: the request must then be refused.
   */
  remember(
    id: string,
    now: number,
    account: string,
  ): Promise<'new' | 'seen' | 'full' | 'account_full'>
}

/** An `iat` may lie this far ahead and is good for as long again: milliseconds. */
const MEMORY = (2 * BINDING_TOLERANCE + 1) * 1000
/** Accounts that are counted. Their counts are too low by up to a 64th of all requests. */
const COUNTED = 63

/**
 * A cache in memory. Identifiers are kept as hashes in two generations, of which the older is
 * forgotten as a whole: no timers, and never more than `2 × capacity` entries of about 100 bytes.
 */
export function createReplayCache(capacity = 100_000): ReplayCache {
  // With what a count may lack, this is half.
  const share = Math.max(1, Math.floor(capacity / 2 - capacity / (COUNTED + 1)))
  let current = new Set<string>()
  let previous = new Set<string>()
  let accounts = createFrequentKeys(COUNTED)
  let begun = -Infinity
  return {
    remember(id, now, account) {
      if (now - begun >= MEMORY) {
        previous = now - begun >= 2 * MEMORY ? new Set() : current
        current = new Set()
        accounts = createFrequentKeys(COUNTED)
        begun = now
      }
      const hash = createHash('sha256').update(id).digest('base64url')
      if (current.has(hash) || previous.has(hash)) return Promise.resolve('seen')
      if (current.size >= capacity) return Promise.resolve('full')
      if (accounts.count(account) >= share) return Promise.resolve('account_full')
      current.add(hash)
      accounts.add(account)
      return Promise.resolve('new')
    },
  }
}
