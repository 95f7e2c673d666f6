import type { DeleteResult } from 'kysely'
import type { Database } from '../database/open.ts'

/** Milliseconds for which a client is known after it has signed in to an account: 90 days. */
export const KNOWN_CLIENT_TTL = 90 * 86_400_000

/**
 * Whether a client has recently signed in to the account of an address.
 *
 * @param email The key of the address: see email.ts. An address without an account takes the same
 *   time.
 * @param now Milliseconds since the epoch.
 */
export async function isKnownClient(
  db: Database,
  email: string,
  clientId: string,
  now: number,
): Promise<boolean> {
  const row = await db
    .selectFrom('known_clients')
    .innerJoin('accounts', 'accounts.id', 'known_clients.account_id')
    .select('known_clients.client_id')
    .where('accounts.email_key', '=', email)
    .where('known_clients.client_id', '=', clientId)
    .where('known_clients.last_sign_in_at', '>', now - KNOWN_CLIENT_TTL)
    .executeTakeFirst()
  return row !== undefined
}

/** Records a sign-in. Also works in a transaction. */
export async function recordSignIn(
  db: Database,
  accountId: string,
  clientId: string,
  now: number,
): Promise<void> {
  await db
    .insertInto('known_clients')
    .values({ account_id: accountId, client_id: clientId, last_sign_in_at: now })
    .onConflict((conflict) =>
      conflict.columns(['account_id', 'client_id']).doUpdateSet({ last_sign_in_at: now }),
    )
    .execute()
}

/**
 * Makes an account's clients unknown: all, or all but one. Whoever has used the account so far may
 * not be its owner, and would otherwise keep their free tries. Also works in a transaction.
 */
export async function forgetClientsOf(
  db: Database,
  accountId: string,
  except?: string,
): Promise<void> {
  let query = db.deleteFrom('known_clients').where('account_id', '=', accountId)
  if (except !== undefined) query = query.where('client_id', '!=', except)
  await query.execute()
}

/**
 * Removes up to `limit` records of clients that are no longer known.
 *
 * @param now Milliseconds since the epoch.
 */
export function removeForgottenClients(
  db: Database,
  now: number,
  limit: number,
): Promise<DeleteResult> {
  return db
    .deleteFrom('known_clients')
    .where((where) =>
      where(
        where.refTuple('account_id', 'client_id'),
        'in',
        where
          .selectFrom('known_clients')
          .select(['account_id', 'client_id'])
          .where('last_sign_in_at', '<=', now - KNOWN_CLIENT_TTL)
          .limit(limit)
          .$asTuple('account_id', 'client_id'),
      ),
    )
    .executeTakeFirstOrThrow()
}

/**
 * The rate limit's key for a known client of an account.
 *
 * @param email The key of its address.
 */
export const knownClientKey = (email: string, clientId: string): string => `${clientId} ${email}`
