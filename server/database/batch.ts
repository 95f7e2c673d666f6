/** The most items in one batch. */
const MAX_SIZE = 1000
/** The most concurrent batches. Items that arrive in the meantime wait, and form the next batch. */
const MAX_UNDER_WAY = 2

interface Waiting<Item, Result> {
  readonly item: Item
  readonly resolve: (result: Result) => void
  readonly reject: (error: unknown) => void
}

/**
 * Turns a function for many items into one for a single item. Items that are requested in one turn
 * of the event loop, or while batches are under way, form a batch.
 *
 * @param run Returns a result for each item, in order. It is called after its items were requested,
 *   so the results are never older. If it fails, all its items fail.
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
