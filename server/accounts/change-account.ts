import { sql, type Updateable } from 'kysely'
import type { Database } from '../database/open.ts'
import type { Account, AccountRow } from '../database/schema.ts'
import { forgetClientsOf } from '../limits/known-clients.ts'
import { endSessionsOf } from '../sessions/end-sessions.ts'

/**
 * Leaves an account to its owner alone: replaces or removes its password, ends every session and makes
 * every client unknown. Call it in the transaction that accepts the owner's proof.
 *
 * @param values What to change, with the hash of the new password or NO_PASSWORD.
 * @returns The ids of the ended sessions; `undefined`, with nothing changed, if the account has
 *   changed since it was read.
 */
export async function handOver(
  trx: Database,
  account: Account,
  values: Updateable<AccountRow> & { readonly password_hash: string },
): Promise<string[] | undefined> {
  if (!(await changeAccount(trx, account, values))) return undefined
  await forgetClientsOf(trx, account.id)
  return endSessionsOf(trx, account.id)
}

/**
 * Changes an account and raises its version, so that nothing that began before can succeed. The caller
 * ends the sessions that must not outlive the change.
 *
 * @returns `false`, with nothing changed, if the account has changed since it was read.
 */
export async function changeAccount(
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
