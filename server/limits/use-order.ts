/** An entry of a cache. */
export interface Used {
  /** The number of the use that moved it to the end. */
  movedAt?: number
}

/**
 * Keeps a cache roughly in order of use: its first entry is one that has been unused for long. A Map
 * iterates in the order of insertion.
 *
 * @param capacity The most entries. An entry is not moved again within a quarter as many uses:
 *   a deleted entry keeps its place until the Map makes a new table, and with a move at every use,
 *   old tables and keys would fill the memory between two full garbage collections.
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
