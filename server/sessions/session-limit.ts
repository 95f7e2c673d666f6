import type { Database } from '../database/open.ts'

/** A database from before there was a limit may hold any number: the rest goes with the next sign-ins. */
const MAX_ENDED = 100

interface SessionLimit {
  /** How many sessions the account may have. */
  readonly maxSessions: number
  /** Milliseconds since the epoch. */
  readonly now: number
}

/**
 * Ends those of an account's living sessions that are too many: the ones that have been unused the
 * longest, and never `newest`. Within the transaction that begins that one.
 *
 * @returns The ids of the sessions that it ended.
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
