import type { Database } from '../database/open.ts'
import type { ClientRow, SessionRow } from '../database/schema.ts'

/** A session as its owner sees it. */
type SessionSummary = Pick<SessionRow, 'id' | 'client_id' | 'created_at' | 'last_used_at'> &
  Pick<ClientRow, 'client_name'>

/**
 * An account's live sessions, newest first.
 *
 * @param limit If there are more, only those used most recently.
 */
export async function listSessions(
  db: Database,
  accountId: string,
  now: number,
  limit: number,
): Promise<SessionSummary[]> {
  const sessions = await db
    .selectFrom('sessions')
    .innerJoin('clients', 'clients.client_id', 'sessions.client_id')
    .select(['sessions.id', 'sessions.client_id', 'sessions.created_at', 'last_used_at'])
    .select('client_name')
    .where('sessions.account_id', '=', accountId)
    .where('sessions.expires_at', '>', now)
    .orderBy('sessions.last_used_at', 'desc')
    .orderBy('sessions.created_at', 'desc')
    .orderBy('sessions.id')
    .limit(limit)
    .execute()
  return sessions.toSorted((a, b) => b.created_at - a.created_at || (a.id < b.id ? -1 : 1))
}

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
