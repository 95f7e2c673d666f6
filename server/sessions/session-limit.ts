import type { Database } from '../database/open.ts'

/**
 * The most sessions to end at once. A database from before the limit may hold any number; later
 * sign-ins end the rest.
 */
const MAX_ENDED = 100

interface SessionLimit {
  /** The most sessions that the account may have. */
  readonly maxSessions: number
  /** Milliseconds since the epoch. */
  readonly now: number
}

/**
 * Ends the sessions of an account that exceed the limit: those unused the longest, and never
 * `newest`. Call it in the transaction that begins `newest`.
 *
 * @returns The ids of the ended sessions.
 */
export async function endSurplusSessions(
  trx: Database,
  accountId: string,
  newest: string,
  { maxSessions, now }: SessionLimit,
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
        .offset(maxSessions - 1)
        .limit(MAX_ENDED),
    )
    .returning('id')
    .execute()
  return rows.map(({ id }) => id)
}
