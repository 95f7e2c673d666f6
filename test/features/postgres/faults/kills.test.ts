import { afterAll, beforeAll } from '@jest/globals'
import { survivesKills } from '../../../faults/kill-cycles.ts'
import { describePostgres } from '../../../support/describe-postgres.ts'
import { createDatabase, startPostgres, type PostgresServer } from '../../../support/postgres.ts'

describePostgres('on PostgreSQL', () => {
  let postgres: PostgresServer
  beforeAll(async () => {
    postgres = await startPostgres()
  })
  afterAll(() => postgres.remove())
  survivesKills('PostgreSQL', () => createDatabase(postgres.url))
})
