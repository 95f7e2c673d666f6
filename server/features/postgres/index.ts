import { integer } from '../../config/parsers.ts'
import { schemeOf } from '../../database/location.ts'
import { defineFeature } from '../../feature.ts'
import { openPostgres } from './open-postgres.ts'
import { sweepShared } from './shared-limits.ts'
import { beginEpoch, untilBegun } from './shared-replay-cache.ts'
import { sharedDatabase } from './shared-tables.ts'

const SCHEMES = ['postgres', 'postgresql']

/** PostgreSQL in place of SQLite: any number of servers on one database act as one. */
export const postgres = defineFeature({
  // Connections at most.
  variables: { DATABASE_POOL_SIZE: integer(1, 1000).default(10) },
  database: {
    schemes: SCHEMES,
    backUpWith: 'pg_dump',
    open: (url, timeout, { DATABASE_POOL_SIZE: poolSize }) =>
      openPostgres(url, { poolSize, timeout }),
  },
  async create({ config, database, clock }) {
    if (!SCHEMES.includes(schemeOf(config.database) ?? '')) return {}
    const shared = sharedDatabase(database)
    const now = clock()
    await untilBegun(await beginEpoch(shared, now), now)
    return { sweep: (now) => sweepShared(shared, now) }
  },
})
