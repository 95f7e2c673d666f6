import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Libsql from 'libsql'
import { openDatabase } from '../../server/database/open.ts'
import { GOOD_PASSWORD, someEmail, TestClient, type TestSession } from '../support/client.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

const EMAIL = someEmail()

let folder: string
let server: TestServer
let client: TestClient
let session: TestSession
/** Another connection, like another process to SQLite. */
let other: Libsql.Database

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'locked-'))
  const file = join(folder, 'auth.db')
  server = await startTestServer({ database: await openDatabase(file, 50) })
  client = await TestClient.registered(server.url)
  session = await client.signUp(EMAIL)
  other = new Libsql(file)
})
afterEach(async () => {
  if (other.inTransaction) other.exec('rollback')
  other.close()
  await server.stop()
  await server.database.destroy()
  await rm(folder, { recursive: true, force: true })
})

const logged = (message: string) =>
  server.logs
    .map((line) => JSON.parse(line) as { msg: string; err?: object })
    .filter(({ msg }) => msg === message)

const refresh = async () =>
  client.send('POST', '/token', {
    grant_type: 'refresh_token',
    refresh_token: await client.seal(session.refreshJws),
  })

test('writes are answered with 503 while another process writes, and work afterwards', async () => {
  const tasks = [
    () => client.sendAs(session, 'PATCH', '/account', { name: 'Zoë' }),
    refresh,
    () =>
      client.send('POST', '/account/login', {
        email: EMAIL,
        password: GOOD_PASSWORD,
        client_id: client.id,
      }),
  ]
  other.exec('begin immediate')
  for (const task of tasks) {
    const answer = await task()
    expect(answer.status).toBe(503)
    expect(answer.body.error).toBe('temporarily_unavailable')
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
    expect(answer.text).not.toMatch(/SQL|database/i)
  }
  const failures = logged('request failed')
  expect(failures).toHaveLength(tasks.length)
  for (const { err } of failures) expect(err).toMatchObject({ code: 'SQLITE_BUSY' })

  other.exec('rollback')
  for (const task of tasks) expect((await task()).status).toBe(200)
})

test('a read succeeds while another process writes, without recording the use', async () => {
  const lastUsed = async () => {
    const row = await server.database
      .selectFrom('sessions')
      .select('last_used_at')
      .executeTakeFirst()
    return row?.last_used_at
  }
  server.clock.advance(120)
  const before = await lastUsed()
  other.exec('begin immediate')
  expect((await client.sendAs(session, 'GET', '/account')).status).toBe(200)
  expect(await lastUsed()).toBe(before)
  expect(logged('could not record that a session is used')).toEqual([
    expect.objectContaining({
      level: 'warn',
      session_id: session.sessionId,
      err: expect.objectContaining({ code: 'SQLITE_BUSY' }),
    }),
  ])
  other.exec('rollback')
  expect((await client.sendAs(session, 'GET', '/account')).status).toBe(200)
  expect(await lastUsed()).toBe(server.clock())
})

test('a bug while recording the use is a 500', async () => {
  server.clock.advance(120)
  other.exec(`create trigger bug before update of last_used_at on sessions
    begin select raise(abort, 'a bug'); end`)
  expect((await client.sendAs(session, 'GET', '/account')).status).toBe(500)
})
