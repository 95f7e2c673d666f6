import { BATCH, inBatches } from '../database/delete-expired.ts'
import { isShared, type Database } from '../database/open.ts'
import { sharedDatabase, type SharedDatabase } from '../database/shared-tables.ts'
import { createDatabaseLimiter } from './database-limiter.ts'
import { createDatabaseReplayCache, sweepReplays } from './database-replay-cache.ts'
import { CAPACITY, MEMORY } from './failure-counts.ts'
import { failuresInDatabase, failuresInMemory, type ChangeFailures } from './failure-store.ts'
import { createMemoryLimiter } from './memory-limiter.ts'
import type { CreateLimiter } from './rate-limits.ts'
import { createReplayCache, type ReplayCache } from './replay-cache.ts'

/** Where requests, tries and wrong passwords are counted and remembered. */
export interface LimitStore {
  /** Each is filled by itself. */
  readonly createReplayCache: () => ReplayCache
  readonly createLimiter: CreateLimiter
  readonly changeFailures: ChangeFailures
  /** Removes expired rows, and returns their number. @param now Milliseconds since the epoch. */
  readonly sweep: (now: number) => Promise<number>
}

/**
 * Several servers count together in the database that they share. A single server counts in memory.
 */
export function createLimitStore(database: Database): LimitStore {
  if (!isShared(database)) {
    return {
      createReplayCache: () => createReplayCache(),
      createLimiter: (limit) => createMemoryLimiter(limit),
      changeFailures: failuresInMemory(),
      sweep: () => Promise.resolve(0),
    }
  }
  const db = sharedDatabase(database)
  return {
    createReplayCache: () => createDatabaseReplayCache(db),
    createLimiter: (limit, name) => createDatabaseLimiter(db, limit, name),
    changeFailures: failuresInDatabase(db),
    sweep: async (now) =>
      (await sweepReplays(db, now)) + (await sweepLimits(db, now)) + (await sweepFailures(db, now)),
  }
}

const sweepLimits = (db: SharedDatabase, now: number): Promise<number> =>
  inBatches(() =>
    db
      .deleteFrom('rate_limits')
      .where('key', 'in', (rows) =>
        rows.selectFrom('rate_limits').select('key').where('expire', '<=', now).limit(BATCH),
      )
      // Checked again, because its window may have restarted since it was selected.
      .where('expire', '<=', now)
      .executeTakeFirstOrThrow(),
  )

/** As in memory, failures are forgotten after a day, or if there are too many newer ones. */
async function sweepFailures(db: SharedDatabase, now: number): Promise<number> {
  const newest = await db
    .selectFrom('wrong_passwords')
    .select('failed_at')
    .orderBy('failed_at', 'desc')
    .offset(CAPACITY)
    .limit(1)
    .executeTakeFirst()
  const before = Math.max(now - MEMORY, newest?.failed_at ?? -Infinity)
  return inBatches(() =>
    db
      .deleteFrom('wrong_passwords')
      .where('key', 'in', (rows) =>
        rows
          .selectFrom('wrong_passwords')
          .select('key')
          .where('failed_at', '<=', before)
          .limit(BATCH),
      )
      .where('failed_at', '<=', before)
      .executeTakeFirstOrThrow(),
  )
}
