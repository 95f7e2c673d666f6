import { CompiledQuery } from 'kysely'
import { RateLimiterPostgres } from 'rate-limiter-flexible'
import type { SharedDatabase } from '../database/shared-tables.ts'
import type { Limiter } from './rate-limits.ts'

/**
 * Fixed windows, counted in the database that several servers share.
 *
 * @param limit `duration` in seconds.
 * @param name Of what is limited: limits of different names are counted apart.
 */
export const createDatabaseLimiter = (
  db: SharedDatabase,
  limit: { readonly count: number; readonly duration: number },
  name: string,
): Limiter =>
  new RateLimiterPostgres({
    ...{ points: limit.count, duration: limit.duration, keyPrefix: name },
    // Through the driver that knows when the database is away.
    storeClient: {
      query: ({ text, values }: { text: string; values: unknown[] }) =>
        db.executeQuery(CompiledQuery.raw(text, values)),
    },
    ...{ storeType: 'pool', tableName: 'rate_limits', tableCreated: true },
    clearExpiredByTimeout: false,
  })
