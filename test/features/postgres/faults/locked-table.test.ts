import { afterAll, beforeAll, test } from '@jest/globals'
import pg from 'pg'
import { expectRefusedWhileLocked } from '../../../faults/refused-while-locked.ts'
import { describePostgres } from '../../../support/describe-postgres.ts'
import { createDatabase, startPostgres, type PostgresServer } from '../../../support/postgres.ts'

describePostgres('PostgreSQL', () => {
  let postgres: PostgresServer
  beforeAll(async () => {
    postgres = await startPostgres()
  })
  afterAll(() => postgres.remove())

  test('answers writes with 503 while another process has locked a table', async () => {
    await expectRefusedWhileLocked(await createDatabase(postgres.url), async (url) => {
      const other = new pg.Client({ connectionString: url })
      await other.connect()
      await other.query('begin; lock table accounts in exclusive mode')
      return async () => {
        await other.query('rollback')
        await other.end()
      }
    })
  })
})
