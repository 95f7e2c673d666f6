import { sql, type Transaction } from 'kysely'
import type { Schema } from '../database/schema.ts'
import { recordRefreshToken } from './refresh-tokens.ts'
import type { Session } from './sessions.ts'
import type { TokenPair } from './token-pair.ts'

/** A pair of a session's next generation, made ahead. It is good once it has been recorded. */
export interface NextGeneration {
  readonly tokens: TokenPair
  /** The refresh token's. */
  readonly jti: string
  /** When the refresh token expires, milliseconds since the epoch. */
  readonly expiresAt: number
}

/**
 * Begins the next generation of a session: every older token of it is dead from now on, and ends
 * nothing. Needs the locks of `asSession`.
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
