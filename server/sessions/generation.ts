import { sql, type Transaction } from 'kysely'
import type { Schema } from '../database/schema.ts'
import { recordRefreshToken } from './refresh-tokens.ts'
import type { Session } from './sessions.ts'
import type { TokenPair } from './token-pair.ts'

/**
 * A pair of tokens of a session's next generation, made in advance. It becomes valid when it is
 * recorded.
 */
export interface NextGeneration {
  readonly tokens: TokenPair
  /** Of the refresh token. */
  readonly jti: string
  /** When the refresh token expires, in milliseconds since the epoch. */
  readonly expiresAt: number
}

/**
 * Begins the next generation of a session. From now on, its older tokens are refused, and reusing
 * one does not end the session. Needs the locks of `asSession`.
 */
export async function beginGeneration(
  trx: Transaction<Schema>,
  { id }: Session,
  { jti, expiresAt }: NextGeneration,
): Promise<void> {
  await trx
    .updateTable('sessions')
    .set({ generation: sql`generation + 1` })
    .where('id', '=', id)
    .execute()
  await trx.deleteFrom('refresh_tokens').where('session_id', '=', id).execute()
  await recordRefreshToken(trx, id, jti, expiresAt)
}
