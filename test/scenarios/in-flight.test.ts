/** Requests that were in progress when their session ended or the password was replaced. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { createHash, randomUUID } from 'node:crypto'
import { GOOD_PASSWORD, someEmail, TestClient, type TestSession } from '../support/client.ts'
import { createHeldHasher } from '../support/passwords.ts'
import { createHeldReplayCache } from '../support/held-replay-cache.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

const OFF = {
  rateLimits: { login: 'off', signUp: 'off', clients: 'off', refresh: 'off' },
} as const
const OWNERS_PASSWORD = 'the one that the owner has chosen'
const THIEFS_PASSWORD = 'the one that a thief would like'

const hasher = createHeldHasher()
const { replayCache, holdBound } = createHeldReplayCache()

let server: TestServer
let client: TestClient
beforeAll(async () => {
  server = await startTestServer({ config: OFF, passwords: hasher, replayCache })
  client = await TestClient.registered(server.url)
})
afterAll(() => server.stop())

let email: string
/** For example a thief's session, and the owner's. */
let session: TestSession
let owner: TestSession
beforeEach(async () => {
  email = someEmail()
  session = await client.signUp(email)
  owner = await client.login(email)
})

const isAlive = async (one: { readonly accessJws: string }) =>
  (await client.sendAs(one, 'GET', '/account')).status === 200
const tryLogin = async (password: string) =>
  (await client.send('POST', '/account/login', { email, password, client_id: client.id })).status

/** What ends a session or its tokens, and the password that is valid afterwards. */
const ENDINGS: Readonly<Record<string, readonly [end: () => Promise<unknown>, password: string]>> =
  {
    'the password was changed elsewhere': [
      async () => {
        const body = { current_password: GOOD_PASSWORD, new_password: OWNERS_PASSWORD }
        const answer = await client.sendAs(owner, 'PUT', '/account/password', body)
        expect(answer.status).toBe(200)
        owner = { ...owner, accessJws: await client.open(answer.body.access_token) }
      },
      OWNERS_PASSWORD,
    ],
    'the password was changed in this session': [
      async () => {
        const body = { current_password: GOOD_PASSWORD, new_password: OWNERS_PASSWORD }
        const answer = await client.sendAs(session, 'PUT', '/account/password', body)
        expect(answer.status).toBe(200)
        owner = { ...session, accessJws: await client.open(answer.body.access_token) }
      },
      OWNERS_PASSWORD,
    ],
    'it was signed out': [() => client.sendAs(session, 'POST', '/account/logout'), GOOD_PASSWORD],
    'it was revoked': [
      async () => client.send('POST', '/revoke', { token: await client.seal(session.refreshJws) }),
      GOOD_PASSWORD,
    ],
    'it has expired': [
      () =>
        server.database
          .updateTable('sessions')
          .set({ expires_at: server.clock() })
          .where('id', '=', session.sessionId)
          .execute(),
      GOOD_PASSWORD,
    ],
  }

describe.each([
  ['DELETE', '/account', { password: GOOD_PASSWORD }, 'verify'],
  [
    'PUT',
    '/account/password',
    { current_password: GOOD_PASSWORD, new_password: THIEFS_PASSWORD },
    'verify',
  ],
  [
    'PUT',
    '/account/password',
    { current_password: GOOD_PASSWORD, new_password: THIEFS_PASSWORD },
    'hash',
  ],
] as const)('%s %s with %j, waiting to %s,', (method, path, body, work) => {
  test.each(Object.entries(ENDINGS))('changes nothing if %s', async (_, [end, password]) => {
    const { reached, release } = hasher.hold(work)
    const late = client.sendAs(session, method, path, body)
    await reached
    await end()
    release()
    const { status, body: answer, headers } = await late
    expect([status, answer]).toEqual([
      401,
      { error: 'invalid_token', error_description: 'The access token is not valid.' },
    ])
    expect(headers.get('www-authenticate')).toContain('error="invalid_token"')
    expect(await isAlive(session)).toBe(false)
    expect(await tryLogin(password)).toBe(200)
    expect(await tryLogin(THIEFS_PASSWORD)).toBe(401)
    expect(await isAlive(owner)).toBe(true)
  })

  test('takes effect if nothing happens meanwhile', async () => {
    const { reached, release } = hasher.hold(work)
    const slow = client.sendAs(session, method, path, body)
    await reached
    release()
    expect((await slow).status).toBe(method === 'PUT' ? 200 : 204)
    expect(await tryLogin(GOOD_PASSWORD)).toBe(401)
  })

  test('is refused with invalid_grant if the account was changed by other means', async () => {
    const { reached, release } = hasher.hold(work)
    const late = client.sendAs(session, method, path, body)
    await reached
    await server.database
      .updateTable('accounts')
      .set(({ eb }) => ({ version: eb('version', '+', 1) }))
      .where('email', '=', email)
      .execute()
    release()
    const { status, body: answer } = await late
    expect([status, answer.error]).toEqual([400, 'invalid_grant'])
    expect(await isAlive(session)).toBe(true)
    expect(await tryLogin(GOOD_PASSWORD)).toBe(200)
  })
})

describe('a client that is removed meanwhile', () => {
  const remove = (device: TestClient) =>
    server.database.deleteFrom('clients').where('client_id', '=', device.id).execute()

  test.each([
    ['/account', 'hash', () => someEmail()],
    ['/account/login', 'verify', () => email],
  ] as const)('gets no session from POST %s', async (path, work, address) => {
    const device = await TestClient.registered(server.url)
    const body = { email: address(), password: GOOD_PASSWORD, client_id: device.id }
    const { reached, release } = hasher.hold(work)
    const late = client.send('POST', path, body)
    await reached
    await remove(device)
    release()
    const { status, body: answer } = await late
    expect([status, answer.error]).toEqual([400, 'invalid_client'])
  })

  test('changes no password', async () => {
    const device = await TestClient.registered(server.url)
    const other = await device.login(email)
    const { reached, release } = hasher.hold('verify')
    const late = device.sendAs(other, 'PUT', '/account/password', {
      current_password: GOOD_PASSWORD,
      new_password: THIEFS_PASSWORD,
    })
    await reached
    await remove(device)
    release()
    const { status, body: answer } = await late
    expect([status, answer.error]).toEqual([401, 'invalid_token'])
    expect(await tryLogin(GOOD_PASSWORD)).toBe(200)
  })
})

test('one of two concurrent sign-ups with one address is refused', async () => {
  const body = { email: someEmail(), password: GOOD_PASSWORD, client_id: client.id }
  const { reached, release } = hasher.hold('hash')
  const late = client.send('POST', '/account', body)
  await reached
  expect((await client.send('POST', '/account', body)).status).toBe(201)
  release()
  const { status, body: answer } = await late
  expect([status, answer.error]).toEqual([409, 'account_exists'])
})

describe.each<[string, string, string, unknown]>([
  ['PATCH', 'the account', '/account', { name: 'Mallory' }],
  ['POST', 'the session, to sign it out', '/account/logout', undefined],
])('%s of %s, with its session already checked,', (method, _what, path, body) => {
  /** Sends the request, and holds it after its session was found alive. */
  async function begin() {
    const bytes = body === undefined ? undefined : JSON.stringify(body)
    const req = {
      jti: randomUUID(),
      iat: Math.floor(server.clock() / 1000),
      htm: method,
      htu: server.config.issuer + path,
      ...(bytes === undefined
        ? {}
        : { dig: createHash('sha256').update(bytes).digest('base64url') }),
    }
    const authorization = `Bearer ${await client.seal(session.accessJws, { req })}`
    const { reached, release } = holdBound()
    const answer = client.send(method, path, bytes, { authorization })
    await reached
    return { answer, release }
  }
  const state = async () => [
    await server.database.selectFrom('accounts').selectAll().where('email', '=', email).execute(),
    await server.database.selectFrom('sessions').selectAll().orderBy('id').execute(),
  ]

  // An expired session can still be signed out.
  const endings = Object.entries(ENDINGS).filter(
    ([name]) => method !== 'POST' || name !== 'it has expired',
  )
  test.each(endings)('changes nothing if %s', async (_, [end]) => {
    const { answer, release } = await begin()
    await end()
    const before = await state()
    release()
    const { status, body: refused } = await answer
    expect([status, refused.error]).toEqual([401, 'invalid_token'])
    expect(await state()).toEqual(before)
  })

  test('takes effect if nothing happens meanwhile', async () => {
    const { answer, release } = await begin()
    const before = await state()
    release()
    expect([200, 204]).toContain((await answer).status)
    expect(await state()).not.toEqual(before)
  })
})
