import type { Kysely, Transaction } from 'kysely'
import { inOneBatch } from './batch.ts'
import type { LibsqlDatabase } from './libsql-database.ts'

/** The most transactions in a group. No other request goes on while a group runs. */
const MAX_SIZE = 16

type Work<S> = (trx: Transaction<S>) => Promise<unknown>
/** Runs `work` in a transaction. */
export type GroupCommit<S> = <T>(work: (trx: Transaction<S>) => Promise<T>) => Promise<T>
type Outcome = { readonly value: unknown } | { readonly error: unknown }

/**
 * Group commit for the embedded database: transactions that are requested in one turn of the event
 * loop are run one after another, and made durable by one fsync. Each has a savepoint. So one that
 * throws is undone alone, and the others are committed. If the commit fails, all of them fail.
 */
export function createGroupCommit<S>(db: Kysely<S>, database: LibsqlDatabase): GroupCommit<S> {
  async function attempt(work: Work<S>, trx: Transaction<S>): Promise<Outcome> {
    database.exec('savepoint member')
    try {
      return { value: await work(trx) }
    } catch (error) {
      // A full disk, for example, has already undone the whole group.
      if (!database.isInTransaction()) throw error
      database.exec('rollback to member')
      return { error }
    } finally {
      if (database.isInTransaction()) database.exec('release member')
    }
  }

  const run = inOneBatch(
    (works: readonly Work<S>[]) =>
      db.transaction().execute(async (trx) => {
        const outcomes: Outcome[] = []
        for (const work of works) outcomes.push(await attempt(work, trx))
        return outcomes
      }),
    MAX_SIZE,
  )

  return async <T>(work: (trx: Transaction<S>) => Promise<T>) => {
    const outcome = await run(work)
    if ('error' in outcome) throw outcome.error
    return outcome.value as T
  }
}
