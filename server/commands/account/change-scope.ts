import { changeAccount } from '../../accounts/change-account.ts'
import type { Database } from '../../database/open.ts'
import type { Account } from '../../database/schema.ts'
import { inTransaction } from '../../database/transaction.ts'
import { endSessionsOf } from '../../sessions/end-sessions.ts'

/**
 * Changes an account's scope, and ends every session, because their tokens have the old one.
 *
 * @returns The ids of the ended sessions; `undefined`, with nothing changed, if the account has
 *   changed since it was read.
 */
export const changeScope = (
  database: Database,
  account: Account,
  scope: string,
): Promise<string[] | undefined> =>
  inTransaction(database, async (trx) => {
    if (!(await changeAccount(trx, account, { scope }))) return undefined
    return endSessionsOf(trx, account.id)
  })
