import { hash } from 'node:crypto'
import { BATCH, CLOCK_LAG, inBatches } from '../../database/delete-expired.ts'
import { AssertionRefused } from './assertion-refused.ts'
import type { AssertionClaims } from './client-assertion.ts'
import type { ServiceDatabase } from './service-tables.ts'

/**
 * Uses up an assertion: each client can use a `jti` once (RFC 7523 §3). This is recorded in the
 * database, not in memory, because an assertion outlives a restart and is valid at every server.
 *
 * @throws AssertionRefused `used` if it was used before.
 */
export async function useUpAssertion(
  database: ServiceDatabase,
  { iss, jti, exp }: AssertionClaims,
): Promise<void> {
  const { numInsertedOrUpdatedRows } = await database
    .insertInto('used_assertions')
    .values({
      // As JSON, so that no two pairs have one text.
      id: hash('sha256', JSON.stringify([iss, jti]), 'base64url'),
      expires_at: Math.ceil(exp * 1000),
    })
    .onConflict((conflict) => conflict.column('id').doNothing())
    .executeTakeFirstOrThrow()
  if (numInsertedOrUpdatedRows !== 1n) throw new AssertionRefused('used')
}

/** Forgets assertions that have expired at every server. @param now Milliseconds since the epoch. */
export const sweepAssertions = (database: ServiceDatabase, now: number): Promise<number> =>
  inBatches(() =>
    database
      .deleteFrom('used_assertions')
      .where('id', 'in', (rows) =>
        rows
          .selectFrom('used_assertions')
          .select('id')
          .where('expires_at', '<=', now - CLOCK_LAG)
          .limit(BATCH),
      )
      .executeTakeFirstOrThrow(),
  )
