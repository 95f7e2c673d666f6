import type { Database } from '../database/open.ts'

/**
 * The most sessions to end at once. A database from before the limit may hold any number; later
 * sign-ins end the rest.
 */
const MAX_ENDED = 100

/**
 * Ends one session of an account. From now on, its tokens are refused and its database key is gone.
 * Returns whether there was such a session.
 *
 * @param generation The generation that it must have, if one of its own tokens ends it.
 */
export async function endOwnSession(
  db: Database,
  accountId: string,
  id: string,
  generation?: number,
): Promise<boolean> {
  let query = db.deleteFrom('sessions').where('id', '=', id).where('account_id', '=', accountId)
  if (generation !== undefined) query = query.where('generation', '=', generation)
  const { numDeletedRows } = await query.executeTakeFirstOrThrow()
  return numDeletedRows > 0n
}

/**
 * Ends an account's sessions, all or all but one, and returns their ids. Also works in a
 * transaction.
 */
export async function endSessionsOf(
  db: Database,
  accountId: string,
  except?: string,
): Promise<string[]> {
  let query = db.deleteFrom('sessions').where('account_id', '=', accountId)
  if (except !== undefined) query = query.where('id', '!=', except)
  const rows = await query.returning('id').execute()
  return rows.map(({ id }) => id)
}

/**
 * Ends the sessions of an account that exceed the limit: those unused the longest, and never
 * `newest`. Call it in the transaction that begins `newest`.
 *
 * @param limit The most sessions that the account may have.
 * @returns The ids of the ended sessions.
 */
export async function endSurplusSessions(
  trx: Database,
  accountId: string,
  newest: string,
  now: number,
  limit: number,
): Promise<string[]> {
  const rows = await trx
    .deleteFrom('sessions')
    .where('id', 'in', (sessions) =>
      sessions
        .selectFrom('sessions')
        .select('id')
        .where('account_id', '=', accountId)
        .where('id', '!=', newest)
        .where('expires_at', '>', now)
        .orderBy('last_used_at', 'desc')
        .orderBy('created_at', 'desc')
        .orderBy('id')
        .offset(limit - 1)
        .limit(MAX_ENDED),
    )
    .returning('id')
    .execute()
  return rows.map(({ id }) => id)
}

/** Ends every session of every account, and returns their number. */
export async function removeAllSessions(db: Database): Promise<number> {
  const { numDeletedRows } = await db.deleteFrom('sessions').executeTakeFirstOrThrow()
  return Number(numDeletedRows)
}
