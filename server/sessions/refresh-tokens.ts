import { createHmac, hash, randomBytes } from 'node:crypto'
import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/open.ts'
import type { Schema } from '../database/schema.ts'

/** The stored form of a token's `jti`. Needs no salt, because a `jti` is random. */
export const hashJti = (jti: string): string => hash('sha256', jti, 'base64url')

/** A salt for `successorOf`: 32 random bytes, base64url. */
export const newSalt = (): string => randomBytes(32).toString('base64url')

/**
 * The `jti` of the refresh token that follows `jti`. It can be derived again from that token and
 * the database, so it is not stored.
 */
export function successorOf(jti: string, salt: string, sid: string): string {
  const message = Buffer.concat([Buffer.from(salt, 'base64url'), Buffer.from(sid)])
  return createHmac('sha256', jti).update(message).digest('base64url')
}

/**
 * Records a refresh token of a session. Only the hash of its `jti` is stored.
 *
 * @param expiresAt Milliseconds since the epoch.
 */
export async function recordRefreshToken(
  db: Database,
  sessionId: string,
  jti: string,
  expiresAt: number,
): Promise<void> {
  await db
    .insertInto('refresh_tokens')
    .values({ jti_hash: hashJti(jti), session_id: sessionId, used_at: null, expires_at: expiresAt })
    .execute()
}

/** The refresh token of a session's next generation, made in advance: see `prepareGeneration`. */
export interface NextRefreshToken {
  readonly jti: string
  /** Milliseconds since the epoch. */
  readonly expiresAt: number
}

/**
 * Begins the next generation of a session. From now on, its older tokens are refused, and reusing
 * one does not end the session. Needs the locks of `asSession`.
 */
export async function beginGeneration(
  trx: Transaction<Schema>,
  sessionId: string,
  { jti, expiresAt }: NextRefreshToken,
): Promise<void> {
  await trx
    .updateTable('sessions')
    .set({ generation: sql`generation + 1` })
    .where('id', '=', sessionId)
    .execute()
  await trx.deleteFrom('refresh_tokens').where('session_id', '=', sessionId).execute()
  await recordRefreshToken(trx, sessionId, jti, expiresAt)
}
