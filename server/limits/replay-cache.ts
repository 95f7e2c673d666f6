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
   * @param madeAt When the request was bound, milliseconds since the epoch.
   * @returns `full` and `account_full` when it cannot be remembered, `forgotten` when the memory has
   *   lost what was bound then: the request must be refused unless it is `new`.
   */
  remember(
    id: string,
    now: number,
    account: string,
    madeAt: number,
  ): Promise<'new' | 'seen' | 'forgotten' | ReplayRefusal>
}

type ReplayRefusal = 'full' | 'account_full'

/** An `iat` may lie this far ahead and is good for as long again: milliseconds. */
export const MEMORY = (2 * BINDING_TOLERANCE + 1) * 1000
/** Ten thousand requests a second, as long as they are remembered. */
const CAPACITY = 10 * MEMORY
/** An account may fill one part in so many of what is free. Alone, it may send a thousand requests a second. */
const PART = 8
/** Accounts that are counted. If there are more, counts are too low by up to a 1024th of all requests. */
const COUNTED = 1023

/**
 * Shares the room of a memory's generation among accounts. An account may fill an eighth of what is
 * left free then. So shares shrink as the memory fills: thirty accounts of one person leave
 * 3 % of it, in which others still get theirs (the "dynamic threshold" of packet switches). With half
 * instead of an eighth, they could fill it.
 *
 * @param capacity Entries at most.
 */
export function createReplayShares(capacity = CAPACITY) {
  const accounts = createFrequentKeys(COUNTED)
  let size = 0
  return {
    /** Why an account must be refused, if it must. */
    refusalOf(account: string): ReplayRefusal | undefined {
      if (size >= capacity) return 'full'
      return accounts.count(account) * PART >= capacity - size ? 'account_full' : undefined
    },
    add(account: string): void {
      size += 1
      accounts.add(account)
    },
  }
}

/**
 * A memory in this process, of fixed size. Identifiers are kept in two generations, of which the older
 * is forgotten as a whole: there are no timers, and never more than `2 × capacity` entries.
 *
 * @param capacity Entries of one generation.
 */
export function createReplayCache(capacity = CAPACITY): ReplayCache {
  // Made when they are needed: a server whose clients bind nothing needs neither.
  let current: HashTable | undefined
  let previous: HashTable | undefined
  let shares = createReplayShares(capacity)
  let begun = -Infinity

  function beginGeneration(now: number): void {
    const isPreviousOver = now - begun >= 2 * MEMORY
    const oldest = previous
    previous = current
    current = oldest
    current?.clear()
    if (isPreviousOver) previous?.clear()
    shares = createReplayShares(capacity)
    begun = now
  }

  return {
    remember(id, now, account) {
      if (now - begun >= MEMORY) beginGeneration(now)
      current ??= createHashTable(capacity)
      if (current.has(id) || previous?.has(id) === true) return Promise.resolve('seen')
      const refusal = shares.refusalOf(account)
      if (refusal !== undefined) return Promise.resolve(refusal)
      current.add(id)
      shares.add(account)
      return Promise.resolve('new')
    },
  }
}
