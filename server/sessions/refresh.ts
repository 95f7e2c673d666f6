/**
 * Refresh token rotation (RFC 9700 §4.14.2). A refresh token can be used once, in exchange for its
 * successor. If it is used again within the reuse interval (a lost answer, two tabs), it gives the
 * same successor, so that a session has only one chain of tokens. If it is used again later,
 * somebody has a copy. Nobody can tell which of the two is the thief, so the session ends. A copy
 * that is used within the interval stays unnoticed until both have used the successor. That is the
 * price of not signing people out for a lost answer.
 */
import type { Transaction } from 'kysely'
import type { RefreshTokenClaims } from '../../protocol/tokens.ts'
import type { Schema } from '../database/schema.ts'
import { hashJti, newSalt, recordRefreshToken, successorOf } from './refresh-tokens.ts'

interface RotationPolicy {
  /** Milliseconds since the epoch. */
  readonly now: number
  /** In milliseconds, from the first use. */
  readonly reuseInterval: number
  /** When a session that began at this time expires if it is renewed now. */
  readonly expiryOf: (createdAt: number) => number
  /**
   * The session's database key sealed again, as it is stored. `undefined` leaves the one that is
   * there, and so does a repeated use.
   */
  readonly databaseKey?: string | undefined
}

/**
 * Uses up a refresh token whose signature and claims have been checked, and records its successor.
 * The first statement locks the session, so that simultaneous uses, even in several processes, run
 * one after the other.
 *
 * @returns The outcome:
 *   - `rotated`, with the successor's `jti` and its expiry, in milliseconds since the epoch.
 *   - `superseded`: used again within the interval, after its successor was used. The session goes on.
 *   - `reused`: used again after the interval. The session has been ended for that reason.
 *   - `unknown`: the session is gone, or has another generation.
 */
export async function rotateRefreshToken(
  trx: Transaction<Schema>,
  { sid, jti, gen = 0 }: Pick<RefreshTokenClaims, 'sid' | 'jti' | 'gen'>,
  { now, reuseInterval, expiryOf, databaseKey }: RotationPolicy,
) {
  const session = await trx
    .updateTable('sessions')
    .set({ generation: gen })
    .where('id', '=', sid)
    .where('generation', '=', gen)
    .where('expires_at', '>', now)
    .returning('created_at')
    .executeTakeFirst()
  if (session === undefined) return { outcome: 'unknown' } as const
  // Tokens that were used long ago are deleted, so a missing one counts as reused.
  await trx
    .deleteFrom('refresh_tokens')
    .where('session_id', '=', sid)
    .where('used_at', '<', now - reuseInterval)
    .execute()
  const salt = newSalt()
  const token = await trx
    .updateTable('refresh_tokens')
    // Only the first use sets them. If an earlier version of the server used it, it has no salt, and
    // gets its only successor now.
    .set((of) => ({
      salt: of.fn.coalesce('salt', of.val(salt)),
      used_at: of.fn.coalesce('used_at', of.val(now)),
    }))
    .where('jti_hash', '=', hashJti(jti))
    .where('session_id', '=', sid)
    .returning('salt')
    .executeTakeFirst()
  if (token === undefined) {
    // The server signed it and its session is alive, so it was used long ago.
    await trx.deleteFrom('sessions').where('id', '=', sid).execute()
    return { outcome: 'reused' } as const
  }
  const successor = successorOf(jti, token.salt ?? salt, sid)
  if (token.salt !== salt) {
    const expiresAt = await expiryIfUnused(trx, successor)
    if (expiresAt === undefined) return { outcome: 'superseded' } as const
    return { outcome: 'rotated', jti: successor, expiresAt } as const
  }
  const expiresAt = expiryOf(session.created_at)
  await trx
    .updateTable('sessions')
    // Kysely omits undefined values.
    .set({ last_used_at: now, expires_at: expiresAt, database_key: databaseKey })
    .where('id', '=', sid)
    .execute()
  await recordRefreshToken(trx, sid, successor, expiresAt)
  return { outcome: 'rotated', jti: successor, expiresAt } as const
}

async function expiryIfUnused(trx: Transaction<Schema>, jti: string): Promise<number | undefined> {
  const row = await trx
    .selectFrom('refresh_tokens')
    .select('expires_at')
    .where('jti_hash', '=', hashJti(jti))
    .where('used_at', 'is', null)
    .executeTakeFirst()
  return row?.expires_at
}
