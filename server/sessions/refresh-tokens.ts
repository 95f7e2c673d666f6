import { createHash, createHmac, randomBytes } from 'node:crypto'
import type { Database } from '../database/open.ts'

/** The stored form of a token's `jti`. Needs no salt, because a `jti` is random. */
export const hash = (jti: string): string => createHash('sha256').update(jti).digest('base64url')

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
    .values({ jti_hash: hash(jti), session_id: sessionId, used_at: null, expires_at: expiresAt })
    .execute()
}
