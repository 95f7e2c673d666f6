/** Tables that an attacker or a careless program could fill. */
import { afterEach, expect, test } from '@jest/globals'
import { createLogger } from '../../server/log/logger.ts'
import { compose } from '../../server/composition.ts'
import { sweepExpired } from '../../server/sweep-expired.ts'
import { GOOD_PASSWORD, someEmail, TestClient } from '../support/client.ts'
import { sessionIdsOf } from '../support/database.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

const TTL = 3600

const servers: TestServer[] = []
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop()
})
async function setUp(options: Parameters<typeof startTestServer>[0] = {}) {
  const server = await startTestServer(options)
  servers.push(server)
  return { server, client: await TestClient.registered(server.url) }
}
const credentialsOf = (client: TestClient, email = someEmail()) => ({
  email,
  password: GOOD_PASSWORD,
  client_id: client.id,
})

test.each(['/account', '/account/login'])(
  'POST %s with a removed client is refused with invalid_client until it registers again',
  async (path) => {
    const { server, client } = await setUp({ config: { unusedClientTtl: TTL } })
    const email = someEmail()
    if (path === '/account/login') await (await TestClient.registered(server.url)).signUp(email)
    server.clock.advance(2 * TTL)
    expect(await sweepExpired(server.database, server.clock())).toBe(1)

    const body = credentialsOf(client, email)
    const answer = await client.send('POST', path, body)
    expect([answer.status, answer.body.error]).toEqual([400, 'invalid_client'])
    expect((await client.send('GET', `/clients/${client.id}/configuration`)).status).toBe(404)

    const again = await client.send('POST', '/clients', { jwks: { keys: [client.publicJwk] } })
    expect([again.status, again.body.client_id]).toEqual([201, client.id])
    expect((await client.send('POST', path, body)).status).toBe(path === '/account' ? 201 : 200)
  },
)

test('a client that has signed up is not removed, and neither is its session', async () => {
  const { server, client } = await setUp({ config: { unusedClientTtl: TTL } })
  const session = await client.signUp()
  server.clock.advance(2 * TTL)
  const { accessJws } = await client.login(session.answer.body.account.email)
  expect(await sweepExpired(server.database, server.clock())).toBe(0)
  expect((await client.sendAs({ accessJws }, 'GET', '/account')).status).toBe(200)
})

test('a client that expires during a sign-in is kept', async () => {
  const { server, client } = await setUp({ config: { unusedClientTtl: TTL } })
  const { database, clock, config, keystore } = server
  const owner = await TestClient.registered(server.url)
  const email = someEmail()
  await owner.signUp(email)
  const logger = createLogger('silent')
  const services = compose({ config, keystore, database, clock, logger })
  clock.advance(TTL - 1)
  // The steps of a sign-in, with a sweep between them.
  const found = (await services.clients.find(client.id))!
  clock.advance(60)
  await sweepExpired(database, clock())
  const account = (await services.accounts.findByEmail(email))!
  expect(await services.sessions.start(account, found)).toBeDefined()
  clock.advance(2 * TTL)
  await sweepExpired(database, clock())
  expect((await client.send('GET', `/clients/${client.id}/configuration`)).status).toBe(200)
})

test('with MAX_SESSIONS one more session ends the one unused the longest, and is audited', async () => {
  const { server, client } = await setUp({ config: { maxSessions: 3 } })
  const email = someEmail()
  const sessions = [await client.signUp(email)]
  for (let i = 0; i < 2; i++) {
    server.clock.advance(60)
    sessions.push(await client.login(email))
  }
  // The first is used again, so the second is now unused the longest.
  server.clock.advance(60)
  expect((await client.sendAs(sessions[0]!, 'GET', '/account')).status).toBe(200)
  server.clock.advance(60)
  sessions.push(await client.login(email))

  const [, second] = sessions
  const audited = server.logs
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .filter((line) => line['audit'] === 'session_ended')
  expect(audited).toEqual([
    expect.objectContaining({
      account_id: second!.answer.body.account.id,
      session_id: second!.sessionId,
    }),
  ])
  const statuses = []
  for (const session of sessions) {
    statuses.push((await client.sendAs(session, 'GET', '/account')).status)
  }
  expect(statuses).toEqual([200, 401, 200, 200])
  const accountId = second!.answer.body.account.id as string
  expect(await sessionIdsOf(server.database, accountId)).toHaveLength(3)
})

test('MAX_SESSIONS holds for concurrent sign-ins', async () => {
  const { client, server } = await setUp({ config: { maxSessions: 2 } })
  const email = someEmail()
  await client.signUp(email)
  // As many tries as may run at the same time: a sixth would have to wait.
  await Promise.all(Array.from({ length: 5 }, () => client.login(email)))
  const { n } = await server.database
    .selectFrom('sessions')
    .select((where) => where.fn.countAll<number>().as('n'))
    .executeTakeFirstOrThrow()
  expect(n).toBe(2)
})
