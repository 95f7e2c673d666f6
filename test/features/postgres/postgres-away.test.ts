import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals'
import { GOOD_PASSWORD, someEmail, TestClient, type TestSession } from '../../support/client.ts'
import { openAt } from '../../support/database.ts'
import { describePostgres } from '../../support/describe-postgres.ts'
import { startPostgres, type PostgresServer } from '../../support/postgres.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'

describePostgres('while PostgreSQL is unreachable', () => {
  let postgres: PostgresServer
  let server: TestServer
  let client: TestClient
  let email: string
  let session: TestSession

  beforeAll(async () => {
    postgres = await startPostgres()
    server = await startTestServer({
      database: await openAt(postgres.url, { timeout: 1000 }),
    })
    client = await TestClient.registered(server.url)
  })
  beforeEach(async () => {
    email = someEmail()
    session = await client.signUp(email)
  })
  afterAll(async () => {
    await server.stop()
    await server.database.destroy()
    await postgres.remove()
  })

  const tasks = {
    read: () => client.sendAs(session, 'GET', '/account'),
    write: () => client.sendAs(session, 'PATCH', '/account', { name: 'Zoë' }),
    refresh: async () => {
      const refresh_token = await client.seal(session.refreshJws)
      return client.send('POST', '/token', { grant_type: 'refresh_token', refresh_token })
    },
    // Even an invalid token needs the database, because it counts for its address.
    revoke: async () => client.send('POST', '/revoke', { token: await client.seal('no token') }),
    'sign in': () =>
      client.send('POST', '/account/login', {
        email,
        password: GOOD_PASSWORD,
        client_id: client.id,
      }),
  }

  test('every request that needs it is a 503 with Retry-After, and works afterwards', async () => {
    await postgres.stop()
    for (const [name, task] of Object.entries(tasks)) {
      const { status, body, headers, text } = await task()
      expect([name, status, body.error]).toEqual([name, 503, 'temporarily_unavailable'])
      expect(Number(headers.get('retry-after'))).toBeGreaterThan(0)
      expect(text).not.toMatch(/SQL|database|postgres/i)
    }
    const health = async (path: string) => (await fetch(server.url + path)).status
    expect([await health('/healthz'), await health('/readyz')]).toEqual([200, 503])

    await postgres.start()
    expect(await health('/readyz')).toBe(200)
    for (const task of Object.values(tasks)) expect((await task()).status).toBe(200)
  })

  test('a password that could not be checked does not count as wrong', async () => {
    await postgres.stop()
    for (let tries = 0; tries < 10; tries++) expect((await tasks['sign in']()).status).toBe(503)
    await postgres.start()
    expect((await tasks['sign in']()).status).toBe(200)
  })
})
