import pLimit from 'p-limit'

/** Work that continues after its request has been answered. Each task handles its own errors. */
export interface Background {
  /** The number of unfinished tasks. */
  readonly size: number
  /** Queues a task, which starts after all earlier queued tasks. */
  run(work: () => Promise<void>): void
  /** Counts a task that has already started, without delaying queued tasks. */
  track(work: Promise<void>): void
  /** Resolves when no tasks are left. */
  idle(): Promise<void>
}

/** Runs one queued task at a time, so that they hardly compete with requests. */
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
      // Running tasks may add more tasks.
      while (underWay.size > 0) await Promise.all(underWay)
    },
  }
}
