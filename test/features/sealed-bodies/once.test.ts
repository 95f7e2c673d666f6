import { afterEach, describe, expect, test } from '@jest/globals'
import { createSealedBodies, sealedBodies } from '../../../server/features/sealed-bodies/index.ts'
import { createReplayCache, type ReplayCache } from '../../../server/limits/replay-cache.ts'
import { createEphemeralKeystore } from '../../../server/keystore/keystore.ts'
import { GOOD_PASSWORD, someEmail, TestClient } from '../../support/client.ts'
import { UNLIMITED } from '../../support/config.ts'
import { openAt } from '../../support/database.ts'
import { describePostgres } from '../../support/describe-postgres.ts'
import { logLines } from '../../support/log-lines.ts'
import { startPostgres } from '../../support/postgres.ts'
import { startTestServer, type TestServer, type TestServerOptions } from '../../support/server.ts'
import { SealingClient } from './sealing-client.ts'

const servers: TestServer[] = []
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop()
})

async function start(options: TestServerOptions = {}) {
  const server = await startTestServer({ features: [sealedBodies], ...options })
  servers.push(server)
  return { server, client: await SealingClient.registered(server) }
}

const REFUSED = {
  error: 'invalid_request',
  error_description: 'The sealed body is not valid for this request.',
}
const accept = 'application/json'
const signUpOf = ({ id }: SealingClient, email = someEmail()) => ({
  method: 'POST',
  path: '/account',
  accept,
  body: { email, password: GOOD_PASSWORD, client_id: id },
})
const loginOf = ({ id }: SealingClient, email: string, password = GOOD_PASSWORD) => ({
  method: 'POST',
  path: '/account/login',
  accept,
  body: { email, password, client_id: id },
})

describe('a sealed body is accepted once', () => {
  test('for sign-up and sign-in', async () => {
    const { server, client } = await start()
    const email = someEmail()
    for (const request of [signUpOf(client, email), loginOf(client, email)]) {
      const bytes = await client.sealBody(request)
      expect((await client.send({ ...request, bytes })).status).toBeLessThan(300)
      const headers = [['X-Request-Id', 'replay']] as const
      const again = await client.send({ ...request, bytes, headers })
      expect([again.status, again.body]).toEqual([400, REFUSED])
      expect(logLines(server, 'replay')).toContainEqual(
        expect.objectContaining({ audit: 'request_replayed', source: '127.0.0.1' }),
      )
    }
  })

  test('of many sent at the same time', async () => {
    const { client } = await start()
    const request = signUpOf(client)
    const bytes = await client.sealBody(request)
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => client.send({ ...request, bytes })),
    )
    expect(answers.map(({ status }) => status).toSorted()).toEqual([201, ...Array(7).fill(400)])
  })

  test('even if another body has the same jti', async () => {
    const { client } = await start()
    const req = { jti: 'the same' }
    expect((await client.send({ ...signUpOf(client), req })).status).toBe(201)
    expect((await client.send({ ...signUpOf(client), req })).body).toEqual(REFUSED)
  })

  test('for each access token, so that nobody else can use up a jti that they have seen', async () => {
    const { client } = await start()
    const [mallory, alice] = [
      await client.signUp(someEmail(), GOOD_PASSWORD),
      await client.signUp(someEmail(), GOOD_PASSWORD),
    ]
    const request = { method: 'PATCH', path: '/account', body: { name: 'A' }, accept }
    const req = { jti: 'seen' }
    for (const session of [mallory, alice]) {
      expect((await client.send({ ...request, session, req })).status).toBe(200)
      expect((await client.send({ ...request, session, req })).body).toEqual(REFUSED)
    }
  })

  test('so that a replayed renewal does not end the session', async () => {
    const { client, server } = await start()
    const session = await client.signUp(someEmail(), GOOD_PASSWORD)
    const refresh_token = await client.client.seal(session.refreshJws)
    const body = { grant_type: 'refresh_token', refresh_token }
    const request = { method: 'POST', path: '/token', body, accept }
    const bytes = await client.sealBody(request)
    expect((await client.send({ ...request, bytes })).status).toBe(200)
    server.clock.advance(30)
    expect((await client.send({ ...request, bytes })).body).toEqual(REFUSED)
    expect((await client.client.sendAs(session, 'GET', '/account')).status).toBe(200)
  })

  test.each([
    ['/account/login', { email: 7 }],
    ['/token', { grant_type: 'none' }],
    ['/token', { grant_type: 'refresh_token', refresh_token: 'x' }],
    ['/revoke', { token: 'x' }],
  ])('at %s with %j too, which does nothing', async (path, body) => {
    const { client } = await start()
    const request = { method: 'POST', path, body, accept }
    const bytes = await client.sealBody(request)
    expect((await client.send({ ...request, bytes })).body).not.toEqual(REFUSED)
    expect((await client.send({ ...request, bytes })).body).toEqual(REFUSED)
  })

  test('for a revocation that has ended its session', async () => {
    const { client } = await start()
    const session = await client.signUp(someEmail(), GOOD_PASSWORD)
    const body = { token: await client.client.seal(session.refreshJws) }
    const request = { method: 'POST', path: '/revoke', body, accept }
    const bytes = await client.sealBody(request)
    expect((await client.send({ ...request, bytes })).body).toEqual({})
    expect((await client.send({ ...request, bytes })).body).toEqual(REFUSED)
  })

  test('and refused if it is older than the start of a server with preserved keys', async () => {
    const { client } = await start({ bindingsNotBefore: Date.parse('2026-01-01') + 60_000 })
    expect((await client.send(signUpOf(client))).body).toEqual(REFUSED)
  })
})

describe('a rate-limited request is not remembered:', () => {
  const rateLimits = {
    login: { count: 1, duration: 60 },
    signUp: { count: 1, duration: 60 },
    clients: { count: 100, duration: 60 },
    refresh: { count: 1, duration: 60 },
  }
  function remembering() {
    const ids: string[] = []
    const cache = createReplayCache()
    const replayCache: ReplayCache = {
      remember(id, ...others) {
        ids.push(id)
        return cache.remember(id, ...others)
      },
    }
    return { ids, features: [createSealedBodies({ replayCache })] }
  }

  test.each([
    ['/account', { email: 'x' }],
    ['/account/login', { email: 'nobody@mail.test', password: 'x', client_id: 'x' }],
    ['/account/login', { email: 7 }],
    ['/token', { grant_type: 'x' }],
    ['/token', { grant_type: 'refresh_token', refresh_token: 'x' }],
    ['/revoke', { token: 'x' }],
  ])('%s %j', async (path, body) => {
    const { ids, features } = remembering()
    const { client } = await start({ features, config: { rateLimits } })
    const request = { method: 'POST', path, body, accept }
    await client.send(request)
    expect(ids).toHaveLength(1)
    for (let i = 0; i < 3; i++) expect((await client.send(request)).status).toBe(429)
    expect(ids).toHaveLength(1)
  })

  test('a sign-in of a known client', async () => {
    const { ids, features } = remembering()
    const { client } = await start({ features, config: { rateLimits } })
    const email = someEmail()
    await client.signUp(email, GOOD_PASSWORD)
    expect((await client.send(loginOf(client, email))).status).toBe(200)
    expect((await client.send(loginOf(client, email))).status).toBe(429)
    expect(ids).toHaveLength(2)
  })
})

describe('the replay memory', () => {
  const full: ReplayCache = { remember: () => Promise.resolve('full') }

  test('that is full causes a 503, and nothing is done', async () => {
    const { client } = await start({ features: [createSealedBodies({ replayCache: full })] })
    const request = signUpOf(client)
    const answer = await client.send({ ...request, accept: 'application/jose' })
    expect(answer.claims).toMatchObject({ status: 503, body: { error: 'temporarily_unavailable' } })
    expect(answer.headers.get('retry-after')).toBe('60')
    expect((await client.client.send('POST', '/account', request.body)).status).toBe(201)
  })

  test('that is full does not affect plain bodies', async () => {
    const { server } = await start({ features: [createSealedBodies({ replayCache: full })] })
    const client = new SealingClient(server, await TestClient.registered(server.url))
    const session = await client.client.signUp()
    const answer = await client.send({ method: 'GET', path: '/account', session })
    expect([answer.status, answer.claims?.status]).toEqual([200, 200])
  })

  test('that is full for one account causes a 429', async () => {
    const replayCache: ReplayCache = { remember: () => Promise.resolve('account_full') }
    const { client } = await start({ features: [createSealedBodies({ replayCache })] })
    const answer = await client.send(signUpOf(client))
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([429, '60'])
  })

  test('that has forgotten causes a 503, because the body may be new', async () => {
    const replayCache: ReplayCache = { remember: () => Promise.resolve('forgotten') }
    const { client } = await start({ features: [createSealedBodies({ replayCache })] })
    const answer = await client.send(signUpOf(client))
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '1'])
  })

  test('counts by account, or by network address without one', async () => {
    const senders: string[] = []
    const replayCache: ReplayCache = {
      remember(_id, _now, account) {
        senders.push(account)
        return Promise.resolve('new')
      },
    }
    const { client } = await start({ features: [createSealedBodies({ replayCache })] })
    const session = await client.signUp(someEmail(), GOOD_PASSWORD)
    await client.send({ method: 'PATCH', path: '/account', session, body: { name: 'Ada' } })
    expect(senders).toEqual(['127.0.0.1', session.answer.body.account.id])
  })
})

test('senders who fill their shares of the memory affect no other sender', async () => {
  const features = [createSealedBodies({ replayCache: createReplayCache(80) })]
  const { client } = await start({ features, config: { trustedProxies: 1, rateLimits: UNLIMITED } })
  const from = (address: string) => ({ headers: [['X-Forwarded-For', address]] as const })
  const nothing = { method: 'POST', path: '/account/login', body: {}, accept }
  for (let i = 1; i <= 10; i++) {
    let status: number
    do ({ status } = await client.send({ ...nothing, ...from(`192.0.2.${i}`) }))
    while (status === 400)
    expect(status).toBe(429)
  }
  // A sealed body from elsewhere, a plain body, and an account at an address with a full share.
  const email = someEmail()
  expect((await client.send({ ...signUpOf(client, email), ...from('198.51.100.1') })).status).toBe(
    201,
  )
  const headers = { 'x-forwarded-for': '192.0.2.1' }
  const login = loginOf(client, email).body
  const plain = await client.client.send('POST', '/account/login', login, headers)
  expect(plain.status).toBe(200)
  const session = { accessJws: await client.client.open(plain.body.access_token) }
  const rename = { method: 'PATCH', path: '/account', session, body: { name: 'Ada' }, accept }
  expect((await client.send({ ...rename, ...from('192.0.2.1') })).status).toBe(200)
})

describePostgres('on several servers', () => {
  test('a recorded sign-in is refused the second time', async () => {
    const postgres = await startPostgres()
    try {
      const keystore = await createEphemeralKeystore((await start()).server.config.algorithms)
      const databases = [await openAt(postgres.url), await openAt(postgres.url)]
      const [one, two] = [
        await start({ keystore, database: databases[0]! }),
        await start({ keystore, database: databases[1]! }),
      ]
      const email = someEmail()
      expect((await one.client.send(signUpOf(one.client, email))).status).toBe(201)
      const request = loginOf(one.client, email)
      const bytes = await one.client.sealBody(request)
      expect((await one.client.send({ ...request, bytes })).status).toBe(200)
      const elsewhere = new SealingClient(two.server, one.client.client)
      expect((await elsewhere.send({ ...request, bytes })).body).toEqual(REFUSED)
      for (const server of servers.splice(0)) await server.stop()
      for (const database of databases) await database.destroy()
    } finally {
      await postgres.remove()
    }
  })
})
