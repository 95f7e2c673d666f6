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
   * Uses up the reset token that `jtiHash` stands for, and ends every session; `undefined` if the
   * token is gone or the account has changed since it was read.
   */
  resetPassword(
    account: Account,
    passwordHash: string,
    jtiHash: string,
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
    resetPassword: (account, passwordHash, jtiHash) =>
      database.transaction().execute(async (trx) => {
        const isChanged = await change(trx, account, { password_hash: passwordHash }, jtiHash)
        return isChanged ? endSessionsOf(trx, account.id) : undefined
      }),
    changeScope: (account, scope) =>
      database.transaction().execute(async (trx) => {
        const isChanged = await change(trx, account, { scope })
        return isChanged ? endSessionsOf(trx, account.id) : undefined
      }),
  }
}

/** `false` if it changed nothing. */
async function change(
  trx: Transaction<Schema>,
  { id, version }: Account,
  values: Updateable<AccountRow>,
  jtiHash?: string,
): Promise<boolean> {
  const { numUpdatedRows } = await trx
    .updateTable('accounts')
    .set({ ...values, version: sql`version + 1` })
    .where('id', '=', id)
    .where('version', '=', version)
    .$if(jtiHash !== undefined, (query) =>
      query.where((where) =>
        where.exists(
          where
            .selectFrom('password_resets')
            .select('jti_hash')
            .where('jti_hash', '=', jtiHash ?? '')
            .where('account_id', '=', id),
        ),
      ),
    )
    .executeTakeFirstOrThrow()
  if (numUpdatedRows === 0n) return false
  await trx.deleteFrom('password_resets').where('account_id', '=', id).execute()
  return true
}
