import { setImmediate } from 'node:timers/promises'
import type { DeleteResult } from 'kysely'
import type { Database } from './open.ts'

/** Rows at once: a write lock held for a moment and no longer. */
export const BATCH = 500

/** The tables whose rows expire by themselves → their primary keys. */
const KEYS = {
  sessions: 'id',
  refresh_tokens: 'jti_hash',
  clients: 'client_id',
  password_resets: 'jti_hash',
} as const

/**
 * Deletes the rows of a table that have expired, a batch at a time; says how many there were.
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
      // Once more: on PostgreSQL, what has been renewed since it was selected is still in that list.
      .where('expires_at', '<=', now)
      .executeTakeFirstOrThrow(),
  )
}

/** Repeats a deletion until there is less to delete than one batch; says how many rows went. */
export async function inBatches(remove: () => Promise<DeleteResult>): Promise<number> {
  let removed = 0
  for (;;) {
    const { numDeletedRows } = await remove()
    removed += Number(numDeletedRows)
    // Let requests in between.
    await setImmediate()
    if (numDeletedRows < BATCH) return removed
  }
}
