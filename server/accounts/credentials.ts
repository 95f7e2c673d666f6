import { sql, type Updateable } from 'kysely'
import type { Database } from '../database/open.ts'
import type { Account, AccountRow } from '../database/schema.ts'
import { endSessionsOf } from '../sessions/own-sessions.ts'

/**
 * Changes that devalue what was issued before them: each raises the account's version and ends
 * sessions, in one transaction, so that nothing begun under the old credentials can slip past.
 *
 * Each gives the ids of the sessions that it ended, or `undefined` where the account has changed in
 * the meantime.
 */
export interface Credentials {
  /** Ends every session but `currentSession`. */
  changePassword(
    account: Account,
    passwordHash: string,
    currentSession: string,
  ): Promise<string[] | undefined>
  /** Uses up the reset token that `jtiHash` stands for, and ends every session. */
  resetPassword(
    account: Account,
    passwordHash: string,
    jtiHash: string,
  ): Promise<string[] | undefined>
  /** Ends every session: their tokens carry the old scope. */
  changeScope(account: Account, scope: string): Promise<string[] | undefined>
}

export function createCredentials(database: Database): Credentials {
  const change = (
    account: Account,
    values: Updateable<AccountRow>,
    options: { readonly except?: string; readonly jtiHash?: string } = {},
  ) =>
    database.transaction().execute(async (trx) => {
      const { numUpdatedRows } = await trx
        .updateTable('accounts')
        .set({ ...values, version: sql`version + 1` })
        .where('id', '=', account.id)
        .where('version', '=', account.version)
        .$if(options.jtiHash !== undefined, (query) =>
          query.where((where) =>
            where.exists(
              where
                .selectFrom('password_resets')
                .select('jti_hash')
                .where('jti_hash', '=', options.jtiHash ?? '')
                .where('account_id', '=', account.id),
            ),
          ),
        )
        .executeTakeFirstOrThrow()
      if (numUpdatedRows === 0n) return undefined
      await trx.deleteFrom('password_resets').where('account_id', '=', account.id).execute()
      return endSessionsOf(trx, account.id, options.except)
    })
  return {
    changePassword: (account, passwordHash, currentSession) =>
      change(account, { password_hash: passwordHash }, { except: currentSession }),
    resetPassword: (account, passwordHash, jtiHash) =>
      change(account, { password_hash: passwordHash }, { jtiHash }),
    changeScope: (account, scope) => change(account, { scope }),
  }
}
