/** Counts the most frequent of any number of keys in little memory. */
export interface FrequentKeys {
  add(key: string): void
  /** Never too high. Too low by less than 1/(`size` + 1) of everything that has been added. */
  count(key: string): number
}

/**
 * The algorithm of Misra and Gries (1982). `add` takes constant time on average, because it removes
 * only what earlier calls have added.
 *
 * @param size The most keys that are kept.
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
