import { createHash, randomUUID } from 'node:crypto'
import type { Database } from '../database/open.ts'

/**
 * Refresh token rotation (RFC 9700 §4.14.2). A refresh token is for one use, which gives the next.
 * Once more within the reuse interval (a lost answer, two tabs) it gives another. Later, somebody
 * has a copy: which of the two is the thief cannot be told, and the session ends. A copy that is used
 * within the interval goes unnoticed: the price of not signing people out for a lost answer.
 */
export type Rotation =
  | 'used'
  | 'reused'
  /** The session is gone. */
  | 'unknown'

/**
 * Uses up a refresh token whose signature and claims have been checked. Within a transaction: its
 * first statement writes, so that of simultaneous uses, in this process or another, one is first.
 *
 * @param now Milliseconds since the epoch.
 * @param reuseInterval Milliseconds.
 */
export async function useRefreshToken(
  db: Database,
  { sid, jti }: { readonly sid: string; readonly jti: string },
  now: number,
  reuseInterval: number,
): Promise<Rotation> {
  const { numUpdatedRows } = await db
    .updateTable('refresh_tokens')
    .set({ used_at: now })
    .where('jti_hash', '=', hash(jti))
    .where('session_id', '=', sid)
    .where('used_at', 'is', null)
    .executeTakeFirstOrThrow()
  const session = await db
    .selectFrom('sessions')
    .select('id')
    .where('id', '=', sid)
    .where('expires_at', '>', now)
    .executeTakeFirst()
  if (session === undefined) return 'unknown'
  // Used long ago: from now on they are known by their absence.
  await db
    .deleteFrom('refresh_tokens')
    .where('session_id', '=', sid)
    .where('used_at', '<', now - reuseInterval)
    .execute()
  if (numUpdatedRows > 0n) return 'used'
  const usedBefore = await db
    .selectFrom('refresh_tokens')
    .select('jti_hash')
    .where('jti_hash', '=', hash(jti))
    .where('session_id', '=', sid)
    .executeTakeFirst()
  // We signed it and its session lives: where it is not found any more, its use is long past.
  return usedBefore === undefined ? 'reused' : 'used'
}

/**
 * Records a new refresh token of a session; gives its `jti`. Only the hash is stored.
 *
 * @param expiresAt Milliseconds since the epoch.
 */
export async function recordRefreshToken(
  db: Database,
  sessionId: string,
  expiresAt: number,
): Promise<string> {
  const jti = randomUUID()
  await db
    .insertInto('refresh_tokens')
    .values({ jti_hash: hash(jti), session_id: sessionId, used_at: null, expires_at: expiresAt })
    .execute()
  return jti
}

/** What is stored of a token's `jti`. It is random: no salt is needed. */
export const hash = (jti: string): string => createHash('sha256').update(jti).digest('base64url')
