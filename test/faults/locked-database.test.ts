/** A database that another process has locked, such as a backup or an operator's transaction. */
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import Libsql from 'libsql'
import pg from 'pg'
import { someEmail, TestClient } from '../support/client.ts'
import { describePostgres } from '../support/describe-postgres.ts'
import { createDatabase, startPostgres, type PostgresServer } from '../support/postgres.ts'
import { report } from '../support/report.ts'
import { createLastingServer, type LastingServer } from './lasting-server.ts'

let server: LastingServer
afterEach(() => server.remove())

/** Locks the database against writers, and returns a function that unlocks it. */
type Lock = (databaseUrl: string) => Promise<() => Promise<void>>

async function expectRefusedWhileLocked(databaseUrl: string | undefined, lock: Lock) {
  const variables = { DATABASE_TIMEOUT: '1s' }
  const located = databaseUrl === undefined ? {} : { databaseUrl }
  server = await createLastingServer({ preserve: true, ...located, variables })
  await server.start()
  const client = await TestClient.registered(server.url)
  const email = someEmail()
  const session = await client.signUp(email)

  const unlock = await lock(databaseUrl ?? join(server.folder, 'auth.db'))
  const rename = () => client.sendAs(session, 'PATCH', '/account', { name: 'Zoë' })
  for (const answer of await Promise.all([rename(), rename(), rename()])) {
    expect([answer.status, answer.body.error]).toEqual([503, 'temporarily_unavailable'])
  }
  const read = async () => (await client.sendAs(session, 'GET', '/account')).status
  expect(await read()).toBe(200)
  const [failure] = server.program.logs().filter(({ msg }) => msg === 'request failed')
  expect(failure).toMatchObject({ level: 'error', err: { code: expect.any(String) } })

  await unlock()
  expect((await rename()).status).toBe(200)
  await client.login(email)
  report(`a locked database: writes 503 (${failure.err.code}), reads 200`)
}

test('SQLite answers writes with 503 while another process writes', async () => {
  await expectRefusedWhileLocked(undefined, (file) => {
    const other = new Libsql(file)
    other.exec('begin immediate')
    return Promise.resolve(() => {
      other.exec('rollback')
      other.close()
      return Promise.resolve()
    })
  })
})

test('SQLite that is locked at a start stops it with one sentence', async () => {
  server = await createLastingServer({ preserve: true, variables: { DATABASE_TIMEOUT: '1s' } })
  await server.start()
  await server.end('SIGKILL')
  const other = new Libsql(join(server.folder, 'auth.db'))
  other.exec('begin immediate')
  const program = server.launch()
  expect(await program.exit).toBe(1)
  expect(program.stderr.text).toMatch(
    /The database .* cannot be opened for writing \(SQLITE_BUSY\)/,
  )
  other.exec('rollback')
  other.close()
  await server.start()
  report('a locked database at a start: one sentence, and the next start goes well')
})

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
