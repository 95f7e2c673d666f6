import { generateKeyPairSync } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import type { JWK } from 'jose'
import { createEphemeralKeystore } from '../../server/keystore/keystore.ts'
import { createDatabaseKey } from '../../server/database-keys/database-key.ts'
import { someEmail, TestClient, type TestSession } from '../support/client.ts'
import { logLines } from '../support/log-lines.ts'
import { rawRequest } from '../support/raw-request.ts'
import { UNLIMITED } from '../support/config.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

const PASSWORD = 'velvet-tangerine-obelisk-1842'
const WRONG_PASSWORD = 'crimson-umbrella-quartz-9027'
const PRIVATE_MEMBER = 'c2VjcmV0LXByaXZhdGUtbWVtYmVyLW9mLWEta2V5LTAx'

let server: TestServer
let client: TestClient
let session: TestSession
let requests = 0
const secrets = new Set([PASSWORD, WRONG_PASSWORD, PRIVATE_MEMBER])
const remember = (...tokens: string[]) => {
  for (const token of tokens) {
    secrets.add(token)
    for (const part of token.split('.')) if (part.length > 20) secrets.add(part)
  }
}
const rememberSession = ({ answer, accessJws, refreshJws, databaseKey }: TestSession) => {
  remember(answer.body.access_token, answer.body.refresh_token, accessJws, refreshJws, databaseKey)
}

beforeAll(async () => {
  // With UNLIMITED, because a limit that cannot be counted is a 503; see limits/rate-limits.ts.
  server = await startTestServer({ config: { rateLimits: UNLIMITED } })
  client = await TestClient.registered(server.url)
  session = await client.signUp('logged@mail.test', PASSWORD)
  rememberSession(session)
  const { signingKey, encryptionKey } = server.keystore
  for (const { privateKey } of [signingKey, encryptionKey]) {
    remember(privateKey.export({ format: 'jwk' }).d!)
  }
})
afterAll(() => server.stop())

/** Logged by the readiness probe, for an alarm on overdue keys. */
const KEY_AGE = { key_age_days: expect.any(Number), key_overdue: false }

interface Sent {
  readonly token?: string
  readonly headers?: [string, string][]
  readonly type?: string
  readonly body?: unknown
}

/** Sends a request and expects exactly one log line for it, with this route and status. */
async function expectLine(
  method: string,
  path: string,
  [route, status]: readonly [string | null, number],
  { token, headers = [], type = 'application/json', body }: Sent = {},
) {
  const id = `request-${++requests}`
  if (token !== undefined) remember(token)
  const answer = await rawRequest(server.url, path, {
    method,
    headers: [
      ['X-Request-Id', id],
      ['Content-Type', type],
      ...(token === undefined ? [] : [['Authorization', `Bearer ${token}`] as const]),
      ...headers,
    ],
    body: typeof body === 'string' ? body : body === undefined ? '' : JSON.stringify(body),
  })
  expect(answer.headers.get('x-request-id')).toBe(id)
  const lines = logLines(server, id).filter(({ msg }) => msg === 'request')
  expect(lines).toEqual([
    {
      level: 'info',
      time: expect.any(String),
      request_id: id,
      method,
      route,
      status,
      ...(path === '/readyz' ? KEY_AGE : {}),
      ms: expect.any(Number),
      msg: 'request',
    },
  ])
  return { id, answer }
}

function expectNoSecret() {
  const log = server.logs.join('')
  expect([...secrets].filter((secret) => log.includes(secret))).toEqual([])
  expect(log).not.toMatch(/argon2|logged@mail\.test|BEGIN|eyJ/)
}

test('every request has one line in the log, and no line has a secret', async () => {
  const sealed = (jws = session.accessJws) => client.seal(jws)
  const { publicJwk } = client
  const credentials = { email: 'logged@mail.test', password: PASSWORD, client_id: client.id }
  const login = '/account/login'

  for (const path of [
    '/healthz',
    '/readyz',
    '/.well-known/jwks.json',
    '/.well-known/oauth-authorization-server',
    '/keys/sig.pem',
    '/keys/enc.pem',
  ]) {
    await expectLine('GET', path, [path, 200])
  }

  // Clients: a valid one, and private keys sent by mistake.
  const d = PRIVATE_MEMBER
  const register = (jwk: JWK) => ({ body: { jwks: { keys: [jwk] } } })
  await expectLine('POST', '/clients', ['/clients', 200], register(publicJwk))
  await expectLine('POST', '/clients', ['/clients', 400], register({ ...publicJwk, d }))
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const stranger = privateKey.export({ format: 'jwk' }) as JWK
  remember(stranger.d!)
  await expectLine('POST', '/clients', ['/clients', 400], register({ ...stranger, use: 'enc' }))
  const configuration = '/clients/:client_id/configuration'
  await expectLine('GET', `/clients/${client.id}/configuration`, [configuration, 200])
  await expectLine('GET', `/clients/${PASSWORD}/configuration`, [configuration, 404])

  // Sign-up and sign-in.
  const email = someEmail()
  await expectLine('POST', '/account', ['/account', 201], { body: { ...credentials, email } })
  await expectLine('POST', '/account', ['/account', 409], { body: credentials })
  await expectLine('POST', '/account', ['/account', 400], {
    body: { ...credentials, email: `${PASSWORD}@mail.test`, password: `${PASSWORD}@mail.test` },
  })
  await expectLine('POST', '/account', ['/account', 400], {
    body: { ...credentials, client_id: PASSWORD },
  })
  const signedIn = await expectLine('POST', login, [login, 200], { body: credentials })
  remember(signedIn.answer.body.access_token, signedIn.answer.body.refresh_token)
  remember(signedIn.answer.body.database_key)
  await expectLine('POST', login, [login, 401], {
    body: { ...credentials, password: WRONG_PASSWORD },
  })
  await expectLine('POST', login, [login, 401], { body: { ...credentials, email: PASSWORD } })

  // Unreadable bodies with a password.
  for (const [body, type, status] of [
    [`{"password":"${PASSWORD}"`, 'application/json', 400],
    [`["${PASSWORD}"]`, 'application/json', 400],
    [`password=${PASSWORD}`, 'application/json', 400],
    [`password=${PASSWORD}`, 'application/x-www-form-urlencoded', 415],
    [`{"password":"${PASSWORD}"}`, `text/${PASSWORD}`, 415],
    [`{"password":"${PASSWORD}"}`.padEnd(70_000), 'application/json', 413],
  ] as const) {
    await expectLine('POST', login, [login, status], { body, type })
  }
  await expectLine('POST', login, [login, 415], {
    body: credentials,
    headers: [['Content-Encoding', PASSWORD]],
  })

  // The account, with valid and invalid tokens.
  await expectLine('GET', '/account', ['/account', 200], { token: await sealed() })
  await expectLine('PATCH', '/account', ['/account', 200], {
    token: await sealed(),
    body: { name: PASSWORD },
  })
  await expectLine('PATCH', '/account', ['/account', 400], {
    token: await sealed(),
    body: { name: `${PASSWORD}\n` },
  })
  await expectLine('DELETE', '/account', ['/account', 400], {
    token: await sealed(),
    body: { password: WRONG_PASSWORD },
  })
  await expectLine('GET', '/account', ['/account', 401])
  const changed = await sealed()
  for (const token of [
    session.accessJws,
    await sealed(session.refreshJws),
    await sealed(session.accessJws.slice(0, -4)),
    await client.seal(session.accessJws, { kid: 'c29tZS1vdGhlci1rZXktdGhhdC1pcy1ub3Qtb3Vycw' }),
    await client.seal(session.accessJws, { cty: 'json' }),
    await client.seal(JSON.stringify(credentials)),
    session.answer.body.access_token as string,
    `${changed.slice(0, -6)}AAAAAA`,
    `${changed}=`,
    changed.repeat(12),
    PASSWORD,
  ]) {
    await expectLine('GET', '/account', ['/account', 401], { token })
  }
  const again: [string, string][] = [['Authorization', `Bearer ${await sealed()}`]]
  await expectLine('GET', '/account', ['/account', 400], { token: changed, headers: again })
  await expectLine('GET', `/account?access_token=${changed}`, ['/account', 400], { token: changed })
  await expectLine('GET', `/account?access_token=${changed}`, ['/account', 401])
  await expectLine('GET', '/account', ['/account', 401], {
    headers: [['Authorization', `Basic ${Buffer.from(PASSWORD).toString('base64')}`]],
  })

  // Secrets in other places.
  await expectLine('GET', `/healthz?password=${PASSWORD}`, ['/healthz', 200], {
    headers: [
      ['Cookie', `session=${PASSWORD}`],
      ['User-Agent', PASSWORD],
      ['Referer', `https://app.test/?token=${changed}`],
      ['Origin', `https://${PASSWORD}.test`],
    ],
  })
  await expectLine('GET', `/reset/${changed}`, [null, 404])
  await expectLine('DELETE', `/healthz?${changed}`, [null, 405])
  await rawRequest(server.url, '/healthz', { headers: [['X-Request-Id', `${PASSWORD} !`]] })

  // Sessions that end by sign-out, by expiry and with the account, and one whose key is lost.
  const out = await client.login('logged@mail.test', PASSWORD)
  const lost = await client.login('logged@mail.test', PASSWORD)
  const deleted = await client.signUp(someEmail(), PASSWORD)
  for (const each of [out, lost, deleted]) rememberSession(each)
  const logout = '/account/logout'
  const token = await sealed(out.accessJws)
  await expectLine('POST', logout, [logout, 204], { token })
  await expectLine('POST', logout, [logout, 401], { token })
  const { issuer, algorithms } = server.config
  const keystore = await createEphemeralKeystore(algorithms)
  const context = { issuer, algorithms, keystore, clock: server.clock }
  const databaseKey = createDatabaseKey(context)
  remember(databaseKey.plain, databaseKey.sealed)
  await server.database
    .updateTable('sessions')
    .set({ database_key: databaseKey.sealed })
    .where('id', '=', lost.sessionId)
    .execute()
  await expectLine('GET', '/account', ['/account', 503], { token: await sealed(lost.accessJws) })
  await expectLine('DELETE', '/account', ['/account', 204], {
    token: await sealed(deleted.accessJws),
    body: { password: PASSWORD },
  })

  // Everything that is stored, and then a failing database.
  const rows = await server.database.selectFrom('sessions').select('database_key').execute()
  remember(...rows.map((row) => row.database_key))
  await server.database.destroy()
  const failing = [
    await expectLine('GET', '/account', ['/account', 500], { token: await sealed() }),
    await expectLine('POST', logout, [logout, 500], { token: await sealed() }),
    await expectLine('POST', login, [login, 500], { body: credentials }),
    await expectLine('POST', '/account', ['/account', 500], { body: credentials }),
    await expectLine('POST', '/clients', ['/clients', 500], register(publicJwk)),
  ]
  for (const { id } of failing) {
    const line = logLines(server, id).find(({ level }) => level === 'error')
    expect(line?.err?.message).toMatch(/./)
  }
  await expectLine('GET', '/readyz', ['/readyz', 503])

  server.clock.advance(900)
  await expectLine('GET', '/account', ['/account', 401], { token: await sealed() })
  expectNoSecret()

  // The log was not empty: the reasons of the refusals are there.
  const reasons = new Set(logLines(server).map(({ reason }) => reason))
  expect([...reasons]).toEqual(
    expect.arrayContaining(['segments', 'typ', 'jwe_kid', 'cty', 'base64url', 'too_long', 'exp']),
  )
})
