import { removeForgottenClients } from './limits/known-clients.ts'
import { BATCH, deleteExpired, inBatches } from './database/delete-expired.ts'
import type { Database } from './database/open.ts'
import type { Logger } from './log/logger.ts'

/** Milliseconds between sweeps. */
const INTERVAL = 5 * 60_000

/**
 * Milliseconds for which an expired client is kept. A sign-in no longer finds it, but one that
 * found it just before can still finish.
 */
const CLIENT_GRACE = 10 * 60_000

/**
 * Removes expired rows that nobody can use any more, and returns their number.
 *
 * @param now Milliseconds since the epoch.
 */
export async function sweepExpired(db: Database, now: number): Promise<number> {
  return (
    (await deleteExpired(db, 'sessions', now)) +
    (await deleteExpired(db, 'refresh_tokens', now)) +
    (await deleteExpired(db, 'clients', now - CLIENT_GRACE)) +
    (await inBatches(() => removeForgottenClients(db, now, BATCH)))
  )
}

/**
 * Sweeps now and at intervals. The returned function stops it, and waits for a sweep under way.
 *
 * @param sweeps Each removes the rows that have expired at a given time, and returns their number.
 */
export function startSweeping(
  sweeps: readonly ((now: number) => Promise<number>)[],
  logger: Logger,
  clock: () => number,
): () => Promise<void> {
  const sweepAll = async () => {
    for (const sweep of sweeps) {
      try {
        const removed = await sweep(clock())
        if (removed > 0) logger.debug({ removed }, 'removed what has expired')
      } catch (error) {
        logger.error({ err: error }, 'could not remove what has expired')
      }
    }
  }
  let underWay = sweepAll()
  const timer = setInterval(() => {
    underWay = sweepAll()
  }, INTERVAL).unref()
  return async () => {
    clearInterval(timer)
    await underWay
  }
}
