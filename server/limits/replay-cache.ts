import { BINDING_TOLERANCE } from '../../protocol/binding.ts'
import { createFrequentKeys } from './frequent-keys.ts'
import { createHashTable, type HashTable } from './hash-table.ts'

/** Remembers which bound requests have been seen. An interface, so that several servers can share one. */
export interface ReplayCache {
  /**
   * Remembers an identifier for as long as its binding is accepted.
   *
   * @param now Milliseconds since the epoch.
   * @param account Who sends it. Nobody may fill more than a ninth of what the others leave.
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
/** Ten thousand requests a second, as long as they are remembered. */
const CAPACITY = 10 * MEMORY
/** An account may fill one part in so many of what is free. Alone, it may send a thousand requests a second. */
const PART = 8
/** Accounts that are counted. If there are more, counts are too low by up to a 1024th of all requests. */
const COUNTED = 1023

/**
 * A memory in this process, of fixed size. Identifiers are kept in two generations, of which the older
 * is forgotten as a whole: there are no timers, and never more than `2 × capacity` entries.
 *
 * An account may fill an eighth of what is left free then. So shares shrink as the memory fills: thirty
 * accounts of one person leave 3 % of it, in which others still get theirs (the "dynamic threshold" of
 * packet switches). With half instead of an eighth, they could fill it.
 *
 * @param capacity Entries of one generation.
 */
export function createReplayCache(capacity = CAPACITY): ReplayCache {
  // Made when they are needed: a server whose clients bind nothing needs neither.
  let current: HashTable | undefined
  let previous: HashTable | undefined
  let accounts = createFrequentKeys(COUNTED)
  let begun = -Infinity

  function beginGeneration(now: number): void {
    const isPreviousOver = now - begun >= 2 * MEMORY
    const oldest = previous
    previous = current
    current = oldest
    current?.clear()
    if (isPreviousOver) previous?.clear()
    accounts = createFrequentKeys(COUNTED)
    begun = now
  }

  return {
    remember(id, now, account) {
      if (now - begun >= MEMORY) beginGeneration(now)
      current ??= createHashTable(capacity)
      if (current.has(id) || previous?.has(id) === true) return Promise.resolve('seen')
      const free = capacity - current.size
      if (free <= 0) return Promise.resolve('full')
      if (accounts.count(account) * PART >= free) return Promise.resolve('account_full')
      current.add(id)
      accounts.add(account)
      return Promise.resolve('new')
    },
  }
}
