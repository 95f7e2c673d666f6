import { failuresInMemory, type ChangeFailures } from './failure-store.ts'
import { createMemoryLimiter } from './memory-limiter.ts'
import type { CreateLimiter } from './rate-limits.ts'
import { createReplayCache, type ReplayCache } from './replay-cache.ts'

/** Where requests, tries and wrong passwords are counted and remembered. */
export interface LimitStore {
  /** Each cache has a capacity of its own. */
  readonly createReplayCache: () => ReplayCache
  readonly createLimiter: CreateLimiter
  readonly changeFailures: ChangeFailures
}

/** Counts and remembers in this process's memory. */
export const limitsInMemory = (): LimitStore => ({
  createReplayCache: () => createReplayCache(),
  createLimiter: (limit) => createMemoryLimiter(limit),
  changeFailures: failuresInMemory(),
})
