import type { Database } from '../database/open.ts'

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

/** Ends every session of every account, and returns their number. */
export async function removeAllSessions(db: Database): Promise<number> {
  const { numDeletedRows } = await db.deleteFrom('sessions').executeTakeFirstOrThrow()
  return Number(numDeletedRows)
}
