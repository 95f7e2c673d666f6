import { afterAll, beforeAll, test } from '@jest/globals'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { restoration } from '../../scenarios/restoration.ts'
import { describePostgres } from '../../support/describe-postgres.ts'
import {
  asAdmin,
  createDatabase,
  findPostgres,
  startPostgres,
  type PostgresServer,
} from '../../support/postgres.ts'

const runFile = promisify(execFile)

describePostgres('PostgreSQL', () => {
  let server: PostgresServer
  beforeAll(async () => {
    server = await startPostgres()
  })
  afterAll(() => server.remove())
  const expectRestored = restoration()

  test('sessions are restored, except those refreshed since the backup', async () => {
    const programs = await findPostgres()
    const [lost, restored] = [await createDatabase(server.url), await createDatabase(server.url)]
    await expectRestored(({ folder, env }) => {
      env['DATABASE_URL'] = lost
      const dump = join(folder, 'backup/auth.dump')
      return {
        async backUp() {
          const options = ['--format=custom', '--no-unlogged-table-data', `--file=${dump}`]
          await runFile(join(programs!, 'pg_dump'), [...options, lost])
        },
        async lose() {
          const name = new URL(lost).pathname.slice(1)
          await asAdmin(server.url, `drop database ${name} with (force)`)
        },
        async restore() {
          const options = ['--no-owner', '--exit-on-error', `--dbname=${restored}`]
          await runFile(join(programs!, 'pg_restore'), [...options, dump])
          env['DATABASE_URL'] = restored
        },
      }
    })
  })
})
