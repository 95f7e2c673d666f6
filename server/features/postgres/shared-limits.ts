import { BATCH, inBatches } from '../../database/delete-expired.ts'
import { FORGOTTEN_AFTER } from '../../limits/failure-counts.ts'
import { CAPACITY } from '../../limits/failure-store.ts'
import type { LimitStore } from '../../limits/limit-store.ts'
import { sharedFailures } from './shared-failures.ts'
import { createSharedLimiter } from './shared-limiter.ts'
import { createSharedReplayCache, sweepReplays } from './shared-replay-cache.ts'
import type { SharedDatabase } from './shared-tables.ts'

/** Several servers count and remember together, in the database that they share. */
export const createSharedLimits = (db: SharedDatabase): LimitStore => ({
  createReplayCache: () => createSharedReplayCache(db),
  createLimiter: (limit, name) => createSharedLimiter(db, limit, name),
  changeFailures: sharedFailures(db),
})

/** Removes expired rows, and returns their number. @param now Milliseconds since the epoch. */
export const sweepShared = async (db: SharedDatabase, now: number): Promise<number> =>
  (await sweepReplays(db, now)) + (await sweepLimits(db, now)) + (await sweepFailures(db, now))

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
  const before = Math.max(now - FORGOTTEN_AFTER, newest?.failed_at ?? -Infinity)
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
