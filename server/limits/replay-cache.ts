import { BINDING_TOLERANCE } from '../../protocol/binding.ts'
import { createFrequentKeys } from './frequent-keys.ts'
import { createDigest, createHashTable, type HashTable } from './hash-table.ts'

/**
 * Remembers which bound requests have been seen. An interface, so that several servers can share
 * one cache.
 */
export interface ReplayCache {
  /**
   * Remembers an identifier for as long as its binding is accepted.
   *
   * @param now Milliseconds since the epoch.
   * @param account The sender. Nobody may fill more than an eighth of what is free: see
   *   `createReplayShares`.
   * @param madeAt When the request was bound, in milliseconds since the epoch.
   * @returns `full` or `account_full` if it cannot be remembered; `forgotten` if the cache has lost
   *   the requests of that time. Unless it is `new`, the request must be refused.
   */
  remember(
    id: string,
    now: number,
    account: string,
    madeAt: number,
  ): Promise<'new' | 'seen' | 'forgotten' | ReplayRefusal>
}

type ReplayRefusal = 'full' | 'account_full'

/**
 * Milliseconds: an `iat` may be one tolerance in the future, and is accepted for one tolerance
 * after.
 */
export const REMEMBERED_FOR = (2 * BINDING_TOLERANCE + 1) * 1000
/** Ten thousand requests per second, for as long as they are remembered. */
const CAPACITY = 10 * REMEMBERED_FOR
/**
 * An account may fill an eighth of the free space. If it is alone, that is a ninth of the whole: a
 * thousand requests per second.
 */
const PART = 8
/**
 * The most accounts that are counted. With more, counts are too low by up to 1/1024 of all
 * requests.
 */
const COUNTED = 1023

/**
 * Divides the capacity of one generation among accounts. An account may fill an eighth of the space
 * that is free at that time. So shares shrink as the memory fills: thirty accounts of one person
 * leave 3 % of it, in which others still get their share (the "dynamic threshold" of packet
 * switches). With half instead of an eighth, they could fill it.
 *
 * @param capacity The most entries.
 */
export function createReplayShares(capacity = CAPACITY) {
  const accounts = createFrequentKeys(COUNTED)
  let size = 0
  return {
    /** Why a request of the account must be refused; `undefined` if it need not be. */
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
 * A replay cache of fixed size in this process's memory. Identifiers are kept in two generations,
 * and the older one is forgotten as a whole. So there are no timers, and never more than `2 ×
 * capacity` entries.
 *
 * @param capacity The entries of one generation.
 */
export function createReplayCache(capacity = CAPACITY): ReplayCache {
  const digest = createDigest()
  // Created on demand, because a server whose clients bind no requests needs neither.
  let current: HashTable | undefined
  let previous: HashTable | undefined
  let shares = createReplayShares(capacity)
  let begun = -Infinity

  function beginGeneration(now: number): void {
    const isPreviousOver = now - begun >= 2 * REMEMBERED_FOR
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
      if (now - begun >= REMEMBERED_FOR) beginGeneration(now)
      current ??= createHashTable(capacity)
      const entry = digest(id)
      if (current.has(entry) || previous?.has(entry) === true) return Promise.resolve('seen')
      const refusal = shares.refusalOf(account)
      if (refusal !== undefined) return Promise.resolve(refusal)
      current.add(entry)
      shares.add(account)
      return Promise.resolve('new')
    },
  }
}
