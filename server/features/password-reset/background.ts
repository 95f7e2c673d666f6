import pLimit from 'p-limit'

/** Work that goes on after its request has been answered. Each piece deals with its own errors. */
export interface Background {
  /** How much is not done yet. */
  readonly size: number
  /** Begins when what was there before is done. */
  run(work: () => Promise<void>): void
  /** Keeps an eye on what has begun already, and holds up nothing. */
  track(work: Promise<void>): void
  /** Resolves when nothing is left to do. */
  idle(): Promise<void>
}

/** One piece of work at a time, so that none of it competes with requests. */
export function createBackground(): Background {
  const limit = pLimit(1)
  const underWay = new Set<Promise<void>>()
  const track = (work: Promise<void>) => {
    underWay.add(work)
    void work.finally(() => underWay.delete(work))
  }
  return {
    get size() {
      return underWay.size
    },
    run(work) {
      track(limit(work))
    },
    track,
    async idle() {
      // What is under way may bring more.
      while (underWay.size > 0) await Promise.all(underWay)
    },
  }
}
