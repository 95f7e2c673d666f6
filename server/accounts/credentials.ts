import { sql, type Transaction, type Updateable } from 'kysely'
import type { Database } from '../database/open.ts'
import type { Account, AccountRow, Schema } from '../database/schema.ts'
import { beginGeneration, type NextGeneration } from '../sessions/generation.ts'
import { asSession } from '../sessions/lock-session.ts'
import { endSessionsOf } from '../sessions/own-sessions.ts'
import type { Session } from '../sessions/sessions.ts'

/**
 * Changes that devalue what was issued before them: each raises the account's version and ends
 * sessions, in one transaction, so that nothing begun under the old credentials can slip past.
 *
 * Each gives the ids of the sessions that it ended.
 */
export interface Credentials {
  /**
   * Ends every other session, and of this one every token before `next`.
   *
   * @throws StaleSessionError
   */
  changePassword(session: Session, passwordHash: string, next: NextGeneration): Promise<string[]>
  /**
   * Ends every session. `undefined` if the account has changed since it was read, or what stands in
   * for the old password cannot be used.
   *
   * @param consume Uses up what stands in for the old password, in the same transaction.
   */
  replacePassword(
    account: Account,
    passwordHash: string,
    consume: (trx: Transaction<Schema>) => Promise<boolean>,
  ): Promise<string[] | undefined>
  /**
   * Ends every session: their tokens carry the old scope. `undefined` if the account has changed
   * since it was read.
   */
  changeScope(account: Account, scope: string): Promise<string[] | undefined>
}

/** @param clock Milliseconds since the epoch. */
export function createCredentials(database: Database, clock = Date.now): Credentials {
  return {
    changePassword: (session, passwordHash, next) =>
      asSession(database, session, clock(), async (trx) => {
        await change(trx, session.account, { password_hash: passwordHash })
        await beginGeneration(trx, session, next)
        return endSessionsOf(trx, session.account.id, session.id)
      }),
    replacePassword: (account, passwordHash, consume) =>
      database.transaction().execute(async (trx) => {
        if (!(await lockAccount(trx, account)) || !(await consume(trx))) return undefined
        await change(trx, account, { password_hash: passwordHash })
        return endSessionsOf(trx, account.id)
      }),
    changeScope: (account, scope) =>
      database.transaction().execute(async (trx) => {
        const isChanged = await change(trx, account, { scope })
        return isChanged ? endSessionsOf(trx, account.id) : undefined
      }),
  }
}

/** An update that changes nothing, because it locks. `false` if the account has another version. */
async function lockAccount(trx: Transaction<Schema>, { id, version }: Account): Promise<boolean> {
  const { numUpdatedRows } = await trx
    .updateTable('accounts')
    .set({ version })
    .where('id', '=', id)
    .where('version', '=', version)
    .executeTakeFirstOrThrow()
  return numUpdatedRows > 0n
}

/** `false` if it changed nothing. */
async function change(
  trx: Transaction<Schema>,
  { id, version }: Account,
  values: Updateable<AccountRow>,
): Promise<boolean> {
  const { numUpdatedRows } = await trx
    .updateTable('accounts')
    .set({ ...values, version: sql`version + 1` })
    .where('id', '=', id)
    .where('version', '=', version)
    .executeTakeFirstOrThrow()
  return numUpdatedRows > 0n
}
