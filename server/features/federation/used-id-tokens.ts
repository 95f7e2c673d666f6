import { BATCH, CLOCK_LAG, inBatches } from '../../database/delete-expired.ts'
import type { IdToken } from './id-token-verifier.ts'
import { IdTokenRefused } from './id-token-refused.ts'
import type { FederationDatabase } from './tables.ts'

/**
 * Uses up an ID token. Call it last in the transaction of what the token is used for, so that both
 * succeed or fail together.
 *
 * @throws IdTokenRefused `used` if the token was used before.
 */
export async function useUp(
  trx: FederationDatabase,
  { id, expiresAt }: Pick<IdToken, 'id' | 'expiresAt'>,
): Promise<void> {
  const { numInsertedOrUpdatedRows } = await trx
    .insertInto('used_id_tokens')
    .values({ id, expires_at: Math.ceil(expiresAt * 1000) })
    .onConflict((conflict) => conflict.column('id').doNothing())
    .executeTakeFirstOrThrow()
  if (numInsertedOrUpdatedRows !== 1n) throw new IdTokenRefused('used')
}

/** Forgets tokens that have expired at every server. @param now Milliseconds since the epoch. */
export const sweepUsed = (database: FederationDatabase, now: number): Promise<number> =>
  inBatches(() =>
    database
      .deleteFrom('used_id_tokens')
      .where('id', 'in', (rows) =>
        rows
          .selectFrom('used_id_tokens')
          .select('id')
          .where('expires_at', '<=', now - CLOCK_LAG)
          .limit(BATCH),
      )
      .executeTakeFirstOrThrow(),
  )
