import { removeForgottenClients } from '../limits/known-clients.ts'
import { BATCH, deleteExpired, inBatches } from '../database/delete-expired.ts'
import type { Database } from '../database/open.ts'
import type { Logger } from '../log/logger.ts'

/** Milliseconds between sweeps. */
const INTERVAL = 5 * 60_000

/**
 * Milliseconds that a client is kept after it has expired. Signing in does not find it any more, but
 * whoever has found it just before can still finish.
 */
const CLIENT_GRACE = 10 * 60_000

/**
 * Removes what has expired and nobody can use any more; says how many rows.
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
 * Sweeps now and again until it is told to stop, which waits for the sweep that is under way.
 *
 * @param sweeps Each removes rows that have expired at a time, and says how many.
 */
export function startSweeping(
  sweeps: readonly ((now: number) => Promise<number>)[],
  logger: Logger,
  clock: () => number,
): () => Promise<void> {
  const sweepOnce = async (sweep: (now: number) => Promise<number>) => {
    try {
      const removed = await sweep(clock())
      if (removed > 0) logger.debug({ removed }, 'removed what has expired')
    } catch (error) {
      logger.error({ err: error }, 'could not remove what has expired')
    }
  }
  const sweepAll = async () => {
    for (const sweep of sweeps) await sweepOnce(sweep)
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
