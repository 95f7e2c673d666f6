import { randomInt } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Kysely, Transaction } from 'kysely'
import { ConflictError } from './storage-error.ts'

/** The most tries, including the first. */
const TRIES = 5
/** The most milliseconds between two tries. */
const MAX_PAUSE = 20

/**
 * Runs `work` in a transaction. If it loses a race with another one, it runs again, up to five times
 * in total. So `work` must have no effects outside the database.
 *
 * @throws ConflictError if it loses every time; whatever `work` throws.
 */
export const inTransaction = <S, T>(
  db: Kysely<S>,
  work: (trx: Transaction<S>) => Promise<T>,
): Promise<T> => retryConflicts(() => db.transaction().execute(work))

/** Runs `work` again if it throws a ConflictError. */
export async function retryConflicts<T>(work: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await work()
    } catch (error) {
      if (tries === TRIES || !(error instanceof ConflictError)) throw error
    }
    await sleep(randomInt(MAX_PAUSE))
  }
}
