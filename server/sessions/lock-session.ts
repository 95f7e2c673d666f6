import type { Transaction } from 'kysely'
import type { Database } from '../database/open.ts'
import type { Account, Schema } from '../database/schema.ts'
import { inTransaction } from '../database/transaction.ts'
import { RefusedError } from '../errors/refused-error.ts'
import type { Session } from './session.ts'

/**
 * Runs `work` in a transaction if the session is still alive. Requests are checked when they
 * arrive, but can take long, because passwords wait in a queue to be hashed. So this checks again
 * before a session changes its account, and nothing can end the session before the change takes
 * effect.
 *
 * @param now Milliseconds since the epoch.
 * @throws RefusedError if the session has ended or begun another generation, or if its account has
 *   changed since the session was found. Then nothing is changed.
 */
export function asSession<T>(
  database: Database,
  { id, generation, account }: Session,
  now: number,
  work: (trx: Transaction<Schema>) => Promise<T>,
): Promise<T> {
  return inTransaction(database, async (trx) => {
    // Locks by updates that change nothing. The account comes first, as everywhere, to avoid
    // deadlocks.
    const isAccountAsBefore = await lockAccount(trx, account)
    const { numUpdatedRows } = await trx
      .updateTable('sessions')
      .set({ generation })
      .where('id', '=', id)
      .where('account_id', '=', account.id)
      .where('generation', '=', generation)
      .where('expires_at', '>', now)
      .executeTakeFirstOrThrow()
    if (numUpdatedRows === 0n) throw new RefusedError('session_ended')
    if (!isAccountAsBefore) throw new RefusedError('account_changed')
    return work(trx)
  })
}

/**
 * Locks an account for the rest of a transaction, by an update that changes nothing.
 *
 * @returns `false` if the account is gone, or its password or scope has changed since it was read.
 */
export async function lockAccount(trx: Database, { id, version }: Account): Promise<boolean> {
  const { numUpdatedRows } = await trx
    .updateTable('accounts')
    .set({ version })
    .where('id', '=', id)
    .where('version', '=', version)
    .executeTakeFirstOrThrow()
  return numUpdatedRows > 0n
}
