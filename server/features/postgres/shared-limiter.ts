import { CompiledQuery } from 'kysely'
import { RateLimiterPostgres } from 'rate-limiter-flexible'
import type { Limiter } from '../../limits/rate-limits.ts'
import type { SharedDatabase } from './shared-tables.ts'

/**
 * Counts in fixed windows, in the database that several servers share.
 *
 * @param limit Its `duration` is in seconds.
 * @param name The name of the limit. Limits with different names are counted separately.
 */
export const createSharedLimiter = (
  db: SharedDatabase,
  limit: { readonly count: number; readonly duration: number },
  name: string,
): Limiter =>
  new RateLimiterPostgres({
    points: limit.count,
    duration: limit.duration,
    keyPrefix: name,
    // Uses our driver, which detects an unreachable database.
    storeClient: {
      query: ({ text, values }: { text: string; values: unknown[] }) =>
        db.executeQuery(CompiledQuery.raw(text, values)),
    },
    storeType: 'pool',
    tableName: 'rate_limits',
    tableCreated: true,
    clearExpiredByTimeout: false,
  })
