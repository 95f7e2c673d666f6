import { sql, type Transaction, type Updateable } from 'kysely'
import type { Database } from '../database/open.ts'
import type { Account, AccountRow, Schema } from '../database/schema.ts'
import { inTransaction } from '../database/transaction.ts'
import { forgetClientsOf } from '../limits/known-clients.ts'
import { asSession, lockAccount } from '../sessions/lock-session.ts'
import { endSessionsOf } from '../sessions/end-sessions.ts'
import { beginGeneration, type NextRefreshToken } from '../sessions/refresh-tokens.ts'
import type { Session } from '../sessions/sessions.ts'
import { NO_PASSWORD } from '../hashing/password-hash.ts'

/**
 * Changes that invalidate what was issued before them. Each raises the account's version and ends
 * sessions in one transaction, so that nothing that began under the old credentials can succeed.
 *
 * Each returns the ids of the ended sessions.
 *
 * @param clock Milliseconds since the epoch.
 */
export function createCredentials(database: Database, clock = Date.now) {
  return {
    /**
     * Ends every other session, and every token of this session before `next`. Every other client
     * becomes unknown.
     *
     * @throws RefusedError
     */
    changePassword: (session: Session, passwordHash: string, next: NextRefreshToken) =>
      asSession(database, session, clock(), async (trx) => {
        await change(trx, session.account, { password_hash: passwordHash })
        await beginGeneration(trx, session.id, next)
        await forgetClientsOf(trx, session.account.id, session.clientId)
        return endSessionsOf(trx, session.account.id, session.id)
      }),

    /**
     * Sets a password for somebody who has received a message at the account's address, which proves
     * the address. Ends every session and makes every client unknown. `undefined` if the account has
     * changed since it was read, or the proof is unusable.
     *
     * @param consume Uses up the proof, in the same transaction.
     */
    replacePassword: (
      account: Account,
      passwordHash: string,
      consume: (trx: Transaction<Schema>) => Promise<boolean>,
    ) =>
      inTransaction(database, async (trx) => {
        if (!(await lockAccount(trx, account)) || !(await consume(trx))) return undefined
        const verifiedAt = account.email_verified_at ?? clock()
        await change(trx, account, { password_hash: passwordHash, email_verified_at: verifiedAt })
        await forgetClientsOf(trx, account.id)
        return endSessionsOf(trx, account.id)
      }),

    /**
     * Ends every session, because their tokens have the old scope. `undefined` if the account has
     * changed since it was read.
     */
    changeScope: (account: Account, scope: string) =>
      inTransaction(database, async (trx) => {
        const isChanged = await change(trx, account, { scope })
        return isChanged ? endSessionsOf(trx, account.id) : undefined
      }),
  }
}

/**
 * Takes an account away from whoever has used it so far: removes its password, sessions and known
 * clients. Call it in the transaction that gives the account to its owner.
 *
 * @returns The ids of the ended sessions; `undefined`, with nothing changed, if the account has
 *   changed since it was read.
 */
export async function revokeAccess(trx: Database, account: Account): Promise<string[] | undefined> {
  if (!(await change(trx, account, { password_hash: NO_PASSWORD }))) return undefined
  await forgetClientsOf(trx, account.id)
  return endSessionsOf(trx, account.id)
}

/** Returns `false` if nothing was changed. */
async function change(
  trx: Database,
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
