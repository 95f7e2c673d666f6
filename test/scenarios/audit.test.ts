import { createHash, randomUUID } from 'node:crypto'
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { accountCommand } from '../../server/commands/account/account-command.ts'
import { createLogger } from '../../server/log/logger.ts'
import {
  GOOD_PASSWORD,
  someEmail,
  TestClient,
  type Answer,
  type TestSession,
} from '../support/client.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

const NEW_PASSWORD = 'another brick in the wall'
const WRONG_PASSWORD = 'crimson umbrella quartz'

interface AuditLine {
  readonly level: string
  readonly audit: string
  readonly request_id?: string
  readonly time: string
  readonly msg: string
}

let server: TestServer
let client: TestClient
/** What no audit line may contain. */
const secrets = new Set([GOOD_PASSWORD, NEW_PASSWORD, WRONG_PASSWORD])

beforeAll(async () => {
  const limit = { count: 10_000, duration: 60 }
  const rateLimits = { login: limit, signUp: limit, clients: limit, refresh: limit }
  server = await startTestServer({ config: { rateLimits } })
  client = await TestClient.registered(server.url)
})
afterAll(() => server.stop())

/** Stops what a single test has started. */
let onTestEnd: () => Promise<void> | void = () => undefined
afterEach(async () => {
  await onTestEnd()
  onTestEnd = () => undefined
})

function remember({ answer, accessJws, refreshJws, databaseKey }: TestSession) {
  const { access_token, refresh_token, account } = answer.body
  for (const token of [access_token, refresh_token, accessJws, refreshJws] as string[]) {
    for (const part of token.split('.')) if (part.length > 20) secrets.add(part)
  }
  secrets.add(databaseKey).add(account.email)
}
async function person() {
  const email = someEmail()
  const session = await client.signUp(email)
  remember(session)
  return { email, session, account_id: session.answer.body.account.id as string }
}
async function signIn(email: string) {
  const session = await client.login(email)
  remember(session)
  return session
}

const auditLines = (): AuditLine[] =>
  server.logs.map((line) => JSON.parse(line) as AuditLine).filter((line) => 'audit' in line)

/** The audit lines of `work`, without their common members, which are checked here. */
async function audited(work: (send: Send) => Promise<unknown>) {
  const before = auditLines().length
  const id = randomUUID()
  await work((method, path, body, session) => send(id, method, path, body, session))
  return auditLines()
    .slice(before)
    .map((line) => {
      const { level, audit, request_id, time, msg, ...ids } = line
      expect(request_id).toBe(id)
      expect([msg, typeof time]).toEqual([audit, 'string'])
      const isWarning = ['login_failed', 'login_locked', 'refresh_reused', 'request_replayed']
      expect(level).toBe(isWarning.includes(audit) ? 'warn' : 'info')
      return [audit, ids]
    })
}
type Send = (
  method: string,
  path: string,
  body?: unknown,
  session?: { readonly accessJws: string },
) => Promise<Answer>

async function send(
  id: string,
  method: string,
  path: string,
  body?: unknown,
  session?: { readonly accessJws: string },
) {
  return client.send(method, path, body, {
    'x-request-id': id,
    ...(session && { authorization: `Bearer ${await client.seal(session.accessJws)}` }),
  })
}
const idsOf = (account_id: string, { sessionId }: TestSession) => ({
  account_id,
  session_id: sessionId,
  client_id: client.id,
})

test('account_created is recorded for a sign-up, and nothing for a refused one', async () => {
  let body
  const lines = await audited(async (send) => {
    const email = someEmail()
    secrets.add(email)
    const sent = { email, password: GOOD_PASSWORD, client_id: client.id, name: 'Zoë' }
    body = (await send('POST', '/account', sent)).body
    // Refused requests are not recorded.
    expect((await send('POST', '/account', sent)).status).toBe(409)
    expect((await send('POST', '/account', { ...sent, password: 'short' })).status).toBe(400)
  })
  const { account, session_id } = body as unknown as { account: { id: string }; session_id: string }
  const ids = { account_id: account.id, session_id, client_id: client.id }
  expect(lines).toEqual([['account_created', ids]])
})

test('login is recorded with the account, session and client', async () => {
  const { email, account_id } = await person()
  let answer: Answer | undefined
  const lines = await audited(async (send) => {
    const body = { email, password: GOOD_PASSWORD, client_id: client.id }
    answer = await send('POST', '/account/login', body)
  })
  const { session_id } = answer!.body
  expect(lines).toEqual([['login', { account_id, session_id, client_id: client.id }]])
})

test('login_failed is recorded with the account, if there is one', async () => {
  const { email, account_id } = await person()
  const wrong = { email, password: WRONG_PASSWORD, client_id: client.id }
  const tryIt = (body: object) => audited((send) => send('POST', '/account/login', body))
  const ids = { client_id: client.id, source: '127.0.0.1' }
  expect(await tryIt(wrong)).toEqual([['login_failed', { account_id, ...ids }]])
  const unknown = someEmail()
  secrets.add(unknown)
  expect(await tryIt({ ...wrong, email: unknown })).toEqual([['login_failed', ids]])
  expect(await tryIt({ ...wrong, client_id: 'nobody' })).toEqual([])
})

test('login_locked is recorded for each refused try', async () => {
  const { email } = await person()
  const stranger = await TestClient.registered(server.url)
  const body = { email, password: WRONG_PASSWORD, client_id: stranger.id }
  const statuses: number[] = []
  const lines = await audited(async (send) => {
    // Usually seven tries. On a slow machine the first lock may end before the next try.
    for (let i = 0; i < 12 && !statuses.includes(429); i++) {
      statuses.push((await send('POST', '/account/login', body)).status)
    }
  })
  expect(statuses.at(-1)).toBe(429)
  expect(lines.map(([event]) => event)).toEqual(
    statuses.map((status) => (status === 429 ? 'login_locked' : 'login_failed')),
  )
  expect(lines.at(-1)).toEqual(['login_locked', { client_id: stranger.id, source: '127.0.0.1' }])
})

test('the source of a failed sign-in is the network that limits count, not the whole address', async () => {
  const proxied = await startTestServer({ config: { trustedProxies: 1 } })
  try {
    const stranger = await TestClient.registered(proxied.url)
    const body = { email: someEmail(), password: WRONG_PASSWORD, client_id: stranger.id }
    const from = { 'x-forwarded-for': '2001:db8:1:2:3:4:5:6' }
    for (let i = 0; i < 7; i++) await stranger.send('POST', '/account/login', body, from)
    const lines = proxied.logs.filter((line) => line.includes('"audit":"login_'))
    expect(lines).toHaveLength(7)
    for (const line of lines) expect(line).toContain('"source":"2001:db8:1:2::/64"')
    expect(proxied.logs.join('')).not.toContain('2001:db8:1:2:3')
  } finally {
    await proxied.stop()
  }
})

test('a login that the rate limit refuses is not recorded as locked', async () => {
  const rateLimits = { ...server.config.rateLimits, login: { count: 1, duration: 60 } }
  const strict = await startTestServer({ config: { rateLimits, trustedProxies: 1 } })
  onTestEnd = () => strict.stop()
  const own = await TestClient.registered(strict.url)
  const email = someEmail()
  await own.signUp(email)
  const body = { email, password: WRONG_PASSWORD, client_id: own.id }
  const statuses = []
  for (const from of ['192.0.2.1', '192.0.2.2', '192.0.2.3']) {
    const answer = await own.send('POST', '/account/login', body, { 'x-forwarded-for': from })
    statuses.push(answer.status)
  }
  expect(statuses).toEqual([401, 429, 429])
  const events = strict.logs.map((line) => (JSON.parse(line) as { audit?: string }).audit)
  const logins = events.filter((event) => event?.startsWith('login'))
  expect(logins).toEqual(['login_failed'])
})

test('logout is recorded once', async () => {
  const { session, account_id } = await person()
  const lines = await audited(async (send) => {
    expect((await send('POST', '/account/logout', undefined, session)).status).toBe(204)
    expect((await send('POST', '/account/logout', undefined, session)).status).toBe(401)
  })
  expect(lines).toEqual([['logout', idsOf(account_id, session)]])
})

test('account_deleted is recorded, but not for a wrong password', async () => {
  const { session, account_id } = await person()
  const remove = (password: string) =>
    audited((send) => send('DELETE', '/account', { password }, session))
  expect(await remove(WRONG_PASSWORD)).toEqual([])
  expect(await remove(GOOD_PASSWORD)).toEqual([['account_deleted', idsOf(account_id, session)]])
})

test('password_changed is recorded with each session that it ended', async () => {
  const { email, session, account_id } = await person()
  const other = await signIn(email)
  const change = (current_password: string, new_password = NEW_PASSWORD) =>
    audited((send) => send('PUT', '/account/password', { current_password, new_password }, session))
  expect(await change(WRONG_PASSWORD)).toEqual([])
  expect(await change(GOOD_PASSWORD, 'short')).toEqual([])
  expect(await change(GOOD_PASSWORD)).toEqual([
    ['password_changed', idsOf(account_id, session)],
    ['session_ended', expect.objectContaining({ account_id, session_id: other.sessionId })],
  ])
})

describe('session_ended is recorded', () => {
  test.each(['accessJws', 'refreshJws'] as const)('once for POST /revoke with %s', async (name) => {
    const { session, account_id } = await person()
    const token = await client.seal(session[name])
    const revoke = (value: string) => audited((send) => send('POST', '/revoke', { token: value }))
    expect(await revoke(token)).toEqual([['session_ended', idsOf(account_id, session)]])
    expect(await revoke(token)).toEqual([])
    expect(await revoke('garbage')).toEqual([])
  })

  test('but not when a database key cannot be opened', async () => {
    const { session } = await person()
    await server.database
      .updateTable('sessions')
      .set({ database_key: 'a.b.c.d.e' })
      .where('id', '=', session.sessionId)
      .execute()
    expect(await audited((send) => send('GET', '/account', undefined, session))).toEqual([])
  })
})

test('refresh_reused is recorded together with session_ended', async () => {
  const { session, account_id } = await person()
  const refresh = () =>
    audited(async (send) =>
      send('POST', '/token', {
        grant_type: 'refresh_token',
        refresh_token: await client.seal(session.refreshJws),
      }),
    )
  expect(await refresh()).toEqual([])
  server.clock.advance(11)
  const ids = idsOf(account_id, session)
  expect(await refresh()).toEqual([
    ['refresh_reused', ids],
    ['session_ended', ids],
  ])
  expect(await refresh()).toEqual([])
})

describe('request_replayed is recorded', () => {
  const bindingOf = (method: string, path: string) => ({
    jti: randomUUID(),
    iat: Math.floor(server.clock() / 1000),
    htm: method,
    htu: server.config.issuer + path,
  })

  test('for an access token', async () => {
    const { session, account_id } = await person()
    const body = JSON.stringify({ name: 'Zoë' })
    const dig = createHash('sha256').update(body).digest('base64url')
    const req = { ...bindingOf('PATCH', '/account'), dig }
    const token = await client.seal(session.accessJws, { req })
    const ask = (id: string) =>
      client.send('PATCH', '/account', body, {
        authorization: `Bearer ${token}`,
        'x-request-id': id,
      })
    const before = auditLines().length
    expect((await ask('replay-1')).status).toBe(200)
    expect((await ask('replay-2')).status).toBe(401)
    expect(auditLines().slice(before)).toEqual([
      expect.objectContaining({
        level: 'warn',
        request_id: 'replay-2',
        audit: 'request_replayed',
        ...idsOf(account_id, session),
      }),
    ])
  })

  test('for a refresh token', async () => {
    const { session, account_id } = await person()
    const refresh_token = await client.seal(session.refreshJws, {
      req: bindingOf('POST', '/token'),
    })
    const refresh = () =>
      audited((send) => send('POST', '/token', { grant_type: 'refresh_token', refresh_token }))
    expect(await refresh()).toEqual([])
    expect(await refresh()).toEqual([['request_replayed', idsOf(account_id, session)]])
  })
})

/** `npm run account -- scope`, on this server's database. */
async function setScope(email: string, scope: string) {
  const lines: string[] = []
  const logger = createLogger('info', { write: (line) => void lines.push(line) })
  // The command closes its database, but the server still needs it.
  const database = server.database.withoutPlugins()
  database.destroy = () => Promise.resolve()
  const code = await accountCommand(['scope', email, scope], {
    open: () => Promise.resolve(database),
    logger,
    print: () => undefined,
    note: () => undefined,
  })
  expect(code).toBe(0)
  return lines
}

test('scope_changed is recorded with each session that it ended, without the address', async () => {
  const { email, session, account_id } = await person()
  const lines = await setScope(email, 'user editor')
  expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
    {
      level: 'info',
      time: expect.any(String),
      audit: 'scope_changed',
      account_id,
      msg: 'scope_changed',
    },
    {
      level: 'info',
      time: expect.any(String),
      audit: 'session_ended',
      account_id,
      session_id: session.sessionId,
      msg: 'session_ended',
    },
  ])
})

// Last, because it reads the lines of all other tests.
test('no audit line contains a token, a password, a key or an address', () => {
  const names = new Set(auditLines().map(({ audit }) => audit))
  expect([...names].sort()).toEqual([
    'account_created',
    'account_deleted',
    'login',
    'login_failed',
    'login_locked',
    'logout',
    'password_changed',
    'refresh_reused',
    'request_replayed',
    'session_ended',
  ])
  const text = JSON.stringify(auditLines())
  for (const secret of secrets) expect(text).not.toContain(secret)
  expect(text).not.toMatch(/eyJ|@|\$argon2/)
})
