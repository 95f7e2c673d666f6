import { withoutWaiting } from '../database/libsql-dialect.ts'
import type { Database } from '../database/open.ts'
import { StorageError } from '../database/storage-error.ts'
import type { Logger } from '../log/logger.ts'

/** How old `last_used_at` may be, in milliseconds, so that not every read costs a write. */
const PRECISION = 60_000

/**
 * Whether no recent use of a session is recorded.
 *
 * @param lastUsed As stored; like `now`, milliseconds since the epoch.
 */
export const isUseDue = (lastUsed: number, now: number): boolean => now - lastUsed >= PRECISION

/**
 * Records that a session is used now. If the database cannot be written, the request still succeeds,
 * and a later request records the time.
 *
 * @param now Milliseconds since the epoch.
 */
export async function recordUse(db: Database, log: Logger, id: string, now: number): Promise<void> {
  const query = db.updateTable('sessions').set({ last_used_at: now }).where('id', '=', id)
  try {
    await db.executeQuery(withoutWaiting(query.compile()))
  } catch (error) {
    if (!(error instanceof StorageError)) throw error
    log.warn({ err: error, session_id: id }, 'could not record that a session is used')
  }
}
