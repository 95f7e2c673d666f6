/** An entry of a cache. */
export interface Used {
  /** The number of the use that moved it to the end. */
  movedAt?: number
}

/**
 * Keeps a cache in order of use: its first entry is the one that has been unused the longest. A Map
 * iterates in the order of insertion.
 *
 * @param capacity The most entries. An entry is not moved again within a quarter as many uses. The
 *   order is then not exact, but moving entries with every use would leave much to the garbage
 *   collector: a Map makes a new table whenever as many were deleted as it has.
 * @returns Call it whenever an entry is used.
 */
export function createUseOrder(capacity: number) {
  let uses = 0
  return <E extends Used>(entries: Map<string, E>, id: string, entry: E): void => {
    uses += 1
    if (entry.movedAt !== undefined && uses - entry.movedAt < capacity / 4) return
    entry.movedAt = uses
    entries.delete(id)
    entries.set(id, entry)
  }
}
