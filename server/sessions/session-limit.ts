import type { Database } from '../database/open.ts'

/**
 * The most sessions that one sign-in ends. A database from before the limit may hold any number;
 * later sign-ins end the rest.
 */
const BATCH = 100

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
        .limit(BATCH),
    )
    .returning('id')
    .execute()
  return rows.map(({ id }) => id)
}
