import { countAt, isUsed, type Count } from './failure-counts.ts'

/** The most keys; a try uses two. The key with the oldest last try is dropped to make room. */
export const CAPACITY = 200_000

/** The counts of some keys, in the same order. */
export type Counts<Keys extends readonly string[]> = { readonly [K in keyof Keys]: Count }

/**
 * Replaces the counts of some keys, with exclusive access to them.
 *
 * @param clock Milliseconds since the epoch; read once the counts are exclusive.
 * @throws StorageError; whatever `change` throws, in which case nothing is changed.
 */
export type ChangeFailures = <const Keys extends readonly string[]>(
  keys: Keys,
  clock: () => number,
  change: (counts: Counts<Keys>, now: number) => Counts<Keys>,
) => Promise<void>

/** Keeps failures in this process's memory. */
export function failuresInMemory(capacity = CAPACITY): ChangeFailures {
  // The key with the oldest last try comes first, because a Map keeps its keys in insertion order.
  const kept = new Map<string, Count>()
  // eslint-disable-next-line @typescript-eslint/require-await -- what `change` throws becomes a rejection
  return async (keys, clock, change) => {
    const now = clock()
    const counts = keys.map((key) => countAt(now, kept.get(key)))
    const changed = change(counts as unknown as Counts<typeof keys>, now)
    keys.forEach((key, index) => {
      kept.delete(key)
      const count = changed[index]
      if (count !== undefined && isUsed(count)) kept.set(key, count)
    })
    for (const oldest of kept.keys()) {
      if (kept.size <= capacity) break
      kept.delete(oldest)
    }
  }
}
