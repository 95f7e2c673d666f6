import { setImmediate } from 'node:timers/promises'
import type { DeleteResult } from 'kysely'
import { removeForgottenClients } from '../accounts/known-clients.ts'
import type { Database } from '../database/open.ts'
import type { Logger } from '../log/logger.ts'

/** Rows at once: a write lock held for a moment and no longer. */
const BATCH = 500
/** Milliseconds between sweeps. */
const INTERVAL = 5 * 60_000

/**
 * Milliseconds that a client is kept after it has expired. Signing in does not find it any more, but
 * whoever has found it just before can still finish.
 */
const CLIENT_GRACE = 10 * 60_000

/** Removes what has expired and nobody can use any more, a batch at a time; says how many rows. */
export async function sweepExpired(db: Database, now: number): Promise<number> {
  let removed = 0
  for (const [table, key, before] of [
    ['sessions', 'id', now],
    ['refresh_tokens', 'jti_hash', now],
    ['password_resets', 'jti_hash', now],
    ['clients', 'client_id', now - CLIENT_GRACE],
  ] as const) {
    removed += await inBatches(() =>
      db
        .deleteFrom(table)
        .where(key, 'in', (rows) =>
          rows.selectFrom(table).select(key).where('expires_at', '<=', before).limit(BATCH),
        )
        // Once more: on PostgreSQL, what has been renewed since it was selected is still in that list.
        .where('expires_at', '<=', before)
        .executeTakeFirstOrThrow(),
    )
  }
  return removed + (await inBatches(() => removeForgottenClients(db, now, BATCH)))
}

/** Repeats a deletion until there is less to delete than one batch; says how many rows went. */
async function inBatches(remove: () => Promise<DeleteResult>): Promise<number> {
  let removed = 0
  for (;;) {
    const { numDeletedRows } = await remove()
    removed += Number(numDeletedRows)
    // Let requests in between.
    await setImmediate()
    if (numDeletedRows < BATCH) return removed
  }
}

/** Sweeps now and again until it is told to stop, which waits for the sweep that is under way. */
export function startSweeping(
  db: Database,
  logger: Logger,
  clock: () => number,
): () => Promise<void> {
  const sweep = async () => {
    try {
      const removed = await sweepExpired(db, clock())
      if (removed > 0) logger.debug({ removed }, 'removed what has expired')
    } catch (error) {
      logger.error({ err: error }, 'could not remove what has expired')
    }
  }
  let underWay = sweep()
  const timer = setInterval(() => {
    underWay = sweep()
  }, INTERVAL).unref()
  return async () => {
    clearInterval(timer)
    await underWay
  }
}
