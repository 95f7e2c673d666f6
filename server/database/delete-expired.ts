import { setImmediate } from 'node:timers/promises'
import type { DeleteResult } from 'kysely'
import type { Database } from './open.ts'

/** Rows per statement. Few enough that the write lock is held only for a moment. */
export const BATCH = 500

/** Milliseconds that the clock of another server, which still accepts something, may be behind. */
export const CLOCK_LAG = 60_000

/** Tables with rows that expire → their primary keys. */
const KEYS = {
  sessions: 'id',
  refresh_tokens: 'jti_hash',
  clients: 'client_id',
  password_resets: 'jti_hash',
} as const

/**
 * Deletes the expired rows of a table, one batch at a time, and returns their number.
 *
 * @param now Milliseconds since the epoch.
 */
export function deleteExpired(
  db: Database,
  table: keyof typeof KEYS,
  now: number,
): Promise<number> {
  const key = KEYS[table]
  return inBatches(() =>
    db
      .deleteFrom(table)
      .where(key, 'in', (rows) =>
        rows.selectFrom(table).select(key).where('expires_at', '<=', now).limit(BATCH),
      )
      // Checked again: on some databases, a row may have been renewed since it was selected.
      .where('expires_at', '<=', now)
      .executeTakeFirstOrThrow(),
  )
}

/** Repeats a deletion until a batch is incomplete, and returns the number of deleted rows. */
export async function inBatches(remove: () => Promise<DeleteResult>): Promise<number> {
  let removed = 0
  for (;;) {
    const { numDeletedRows } = await remove()
    removed += Number(numDeletedRows)
    // Lets waiting requests run between two batches.
    await setImmediate()
    if (numDeletedRows < BATCH) return removed
  }
}
