import type { Database } from '../../database/open.ts'

/**
 * An account's live sessions, as their owner sees them, newest first.
 *
 * @param now Milliseconds since the epoch.
 * @param limit If there are more, only those used most recently.
 */
export async function listSessions(db: Database, accountId: string, now: number, limit: number) {
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
