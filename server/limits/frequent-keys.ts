/**
 * Counts the most frequent of any number of keys in little memory: the algorithm of Misra and Gries
 * (1982). `add` takes constant time on average, because it removes only what earlier calls have
 * added.
 *
 * @param size The most keys that are kept.
 */
export function createFrequentKeys(size: number) {
  const counts = new Map<string, number>()
  return {
    /** Never too high. Too low by less than 1/(`size` + 1) of everything that has been added. */
    count: (key: string): number => counts.get(key) ?? 0,
    add(key: string): void {
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
