/** Counts the most frequent of any number of keys, in the memory of a few. */
export interface FrequentKeys {
  add(key: string): void
  /** Never too high, and too low by less than a `size + 1`th of all that has been added. */
  count(key: string): number
}

/**
 * The algorithm of Misra and Gries (1982). `add` takes constant time on average: whatever it takes
 * away, an earlier call has added.
 *
 * @param size How many keys are kept at most.
 */
export function createFrequentKeys(size: number): FrequentKeys {
  const counts = new Map<string, number>()
  return {
    count: (key) => counts.get(key) ?? 0,
    add(key) {
      const count = counts.get(key) ?? 0
      if (count > 0 || counts.size < size) {
        counts.set(key, count + 1)
        return
      }
      for (const [other, count] of counts) {
        if (count === 1) counts.delete(other)
        else counts.set(other, count - 1)
      }
    },
  }
}
