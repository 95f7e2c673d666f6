import { randomInt } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Kysely, Transaction } from 'kysely'
import { isConflict } from './storage-error.ts'

/** Tries of one piece of work in all. */
const TRIES = 5
/** Milliseconds to wait between two tries at most. */
const MAX_PAUSE = 20

/**
 * Runs `work` in a transaction. PostgreSQL ends one of two transactions that wait for each other;
 * that one is run again, up to five times in all. So `work` must only use the database.
 *
 * @throws StorageError if the transaction meets others each time; whatever `work` throws.
 */
export const inTransaction = <S, T>(
  db: Kysely<S>,
  work: (trx: Transaction<S>) => Promise<T>,
): Promise<T> => retryConflicts(() => db.transaction().execute(work))

/** Runs `work` again if it fails only because it met a concurrent transaction. */
export async function retryConflicts<T>(work: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await work()
    } catch (error) {
      if (tries === TRIES || !isConflict(error)) throw error
    }
    await sleep(randomInt(MAX_PAUSE))
  }
}
