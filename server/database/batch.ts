/** Items of one batch at most. */
const MAX_SIZE = 1000
/** Batches under way at once. What arrives meanwhile waits, and travels together. */
const MAX_UNDER_WAY = 2

interface Waiting<Item, Result> {
  readonly item: Item
  readonly resolve: (result: Result) => void
  readonly reject: (error: unknown) => void
}

/**
 * Turns a function for many items into one for a single item. What is asked for in one turn of the
 * event loop, or while batches are under way, is asked for together.
 *
 * @param run Gives a result for each item, in their order. It is called after the item was given, so
 *   its results are never older. If it fails, all its items fail.
 */
export function inOneBatch<Item, Result>(
  run: (items: readonly Item[]) => Promise<readonly Result[]>,
): (item: Item) => Promise<Result> {
  let waiting: Waiting<Item, Result>[] = []
  let underWay = 0
  let isScheduled = false

  function schedule(): void {
    if (isScheduled || waiting.length === 0 || underWay >= MAX_UNDER_WAY) return
    isScheduled = true
    setImmediate(() => void send())
  }

  async function send(): Promise<void> {
    isScheduled = false
    const batch = waiting.slice(0, MAX_SIZE)
    waiting = waiting.slice(MAX_SIZE)
    underWay += 1
    schedule()
    try {
      const results = await run(batch.map(({ item }) => item))
      for (const [index, { resolve }] of batch.entries()) resolve(results[index] as Result)
    } catch (error) {
      for (const { reject } of batch) reject(error)
    } finally {
      underWay -= 1
      schedule()
    }
  }

  return (item) =>
    new Promise((resolve, reject) => {
      waiting.push({ item, resolve, reject })
      schedule()
    })
}
