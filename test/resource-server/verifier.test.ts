import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import {
  createLogger,
  createVerifier,
  type ReplayCache,
  type ServiceAuthOptions,
  type ServiceRequest,
  type Verifier,
} from '../../server/resource-server/verifier.ts'
import { createClock } from '../support/clock.ts'
import { rawRequest } from '../support/raw-request.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { away, createLine, ISSUER, type Line } from './fixtures.ts'
import { createTokenMaker } from './token-maker.ts'

const URL_OF_SERVICE = 'https://notes.test/api'

const clock = createClock()
let server: TestServer
let line: Line
beforeAll(async () => {
  server = await startTestServer({ clock, config: { issuer: ISSUER } })
  line = createLine(server)
})
afterAll(() => server.stop())

async function setUp(options: Partial<ServiceAuthOptions> = {}) {
  const logs: string[] = []
  const logger = createLogger('trace', { write: (text) => void logs.push(text) })
  const verifier = await createVerifier({
    issuer: ISSUER,
    url: URL_OF_SERVICE,
    logger,
    clock,
    fetch: line.fetch,
    ...options,
  })
  return {
    verifier,
    logs,
    tokens: createTokenMaker({ clock, server }, URL_OF_SERVICE, verifier.jwks),
  }
}

let verifier: Verifier
let logs: string[]
let tokens: ReturnType<typeof createTokenMaker>
beforeEach(async () => {
  ;({ verifier, logs, tokens } = await setUp())
})

/** `GET /notes` with a token. */
const withToken = (token: string, changes: Partial<ServiceRequest> = {}): ServiceRequest => ({
  method: 'GET',
  url: '/notes',
  headers: ['Authorization', `Bearer ${token}`],
  body: undefined,
  ...changes,
})

const bytes = (text: string) => Buffer.from(text)

/** The outcome of a request: the account, or the status and the code of the error. */
async function outcome(request: ServiceRequest, of = verifier) {
  const { claims, refusal } = await of.verify(request)
  if (claims !== undefined) return claims.sub
  return `${refusal.status} ${(JSON.parse(refusal.body) as { error: string }).error}`
}

describe('the token of a request', () => {
  test('gives its claims', async () => {
    const { claims } = await verifier.verify(withToken(await tokens.make()))
    expect(claims).toMatchObject({ sub: 'account-1', sid: 'session-1', scope: 'user' })
  })

  test.each(['/notes?page=2', 'http://10.0.0.1:4000/notes', 'https://elsewhere.test/notes?a=b#c'])(
    'is bound to the path of %s, below the URL of the service',
    async (url) => {
      expect(await outcome(withToken(await tokens.make(), { url }))).toBe('account-1')
    },
  )

  test.each(['/', '/other', '//notes', '/notes/', 'https://elsewhere.test//notes'])(
    'is not bound to %s',
    async (url) => {
      expect(await outcome(withToken(await tokens.make(), { url }))).toBe('401 invalid_token')
    },
  )

  test.each(['', 'notes', '*', '.elsewhere.test/notes', '@elsewhere.test/notes', 'ftp://a/notes'])(
    'is not accepted for an invalid URL: %j',
    async (url) => {
      expect(await outcome(withToken(await tokens.make(), { url }))).toBe('400 invalid_request')
    },
  )

  test('is bound to the method', async () => {
    const token = await tokens.make()
    expect(await outcome(withToken(token, { method: 'PUT' }))).toBe('401 invalid_token')
    expect(await outcome(withToken(token))).toBe('account-1')
  })

  test('is accepted once, and its replay is audited in the log of the request', async () => {
    const own: string[] = []
    const log = createLogger('info', { write: (text) => void own.push(text) })
    const token = await tokens.make()
    expect(await outcome(withToken(token, { log }))).toBe('account-1')
    expect(await outcome(withToken(token, { log }))).toBe('401 invalid_token')
    expect(JSON.parse(own.join(''))).toMatchObject({
      audit: 'request_replayed',
      account_id: 'account-1',
      session_id: 'session-1',
    })
  })

  test('must have the required scope', async () => {
    const first = await verifier.verify(withToken(await tokens.make()), { scope: 'admin' })
    expect(first.refusal).toMatchObject({
      status: 403,
      headers: {
        'WWW-Authenticate': expect.stringMatching(/ error="insufficient_scope".* scope="admin"$/),
      },
    })
    const admin = await tokens.make({ claims: { scope: 'user admin' } })
    const second = await verifier.verify(withToken(admin), { scope: 'admin' })
    expect(second.claims?.scope).toBe('user admin')
  })
})

describe('the body of a request', () => {
  const body = '{"text":"first"}'
  const post = async (changes: Partial<ServiceRequest>, more: readonly string[] = []) => {
    const token = await tokens.make({ method: 'POST', body })
    const headers = ['authorization', `bearer ${token}`, ...more]
    return outcome({ method: 'POST', url: '/notes', headers, body: bytes(body), ...changes })
  }

  test('must be the one that the token is bound to', async () => {
    expect(await post({})).toBe('account-1')
    expect(await post({ body: new Uint8Array(bytes(body)) })).toBe('account-1')
    for (const other of ['{"text":"other"}', '', `${body}\n`]) {
      expect(await post({ body: bytes(other) })).toBe('401 invalid_token')
    }
    expect(await post({ body: undefined })).toBe('401 invalid_token')
  })

  test.each([
    ['Content-Length', '16'],
    ['Transfer-Encoding', 'chunked'],
  ])('must be given as bytes if the request has %s: %s', async (...header) => {
    const headers = ['Authorization', `Bearer ${await tokens.make()}`, ...header]
    expect(await outcome(withToken('', { headers }))).toBe('400 invalid_request')
    expect(await outcome(withToken('', { headers, body: bytes('') }))).toBe('account-1')
  })

  test('need not be given if its Content-Length is 0', async () => {
    const headers = ['Authorization', `Bearer ${await tokens.make()}`, 'Content-Length', '0']
    expect(await outcome(withToken('', { headers }))).toBe('account-1')
  })

  test.each([[{ text: 'first' }], [[]], [body]])(
    'must not be parsed: %j is a 500, and logged',
    async (parsed) => {
      expect(await post({ body: parsed as never })).toBe('500 server_error')
      expect(logs.join('')).toContain('The body of a request must be given as bytes.')
    },
  )

  test('must not be compressed, since a framework may have unpacked it', async () => {
    expect(await post({}, ['Content-Encoding', 'gzip'])).toBe('415 unsupported_media_type')
    expect(await post({}, ['Content-Encoding', 'identity', 'content-encoding', 'br'])).toMatch(
      /^415/,
    )
    expect(await post({}, ['Content-Encoding', 'Identity'])).toBe('account-1')
  })
})

describe('a token in two places', () => {
  const form = ['Content-Type', 'application/x-www-form-urlencoded; charset=utf-8']
  const json = ['content-type', 'application/json']
  const send = async (body: string, headers: readonly string[], url: string) => {
    const token = await tokens.make({ method: 'POST', body })
    const all = ['Authorization', `Bearer ${token}`, ...headers]
    return outcome({ method: 'POST', url, headers: all, body: bytes(body) })
  }

  test.each<[string, string, readonly string[], string]>([
    ['two headers', '', ['authorization', 'Bearer x'], '/notes'],
    ['a header of another scheme', '', ['AUTHORIZATION', 'Basic x'], '/notes'],
    ['the query', '', [], '/notes?access_token=x'],
    ['the query, escaped', '', [], 'https://notes.test/notes?a=b&access%5Ftoken='],
    ['a form', 'a=b&access_token=x', form, '/notes'],
    ['JSON', '{"access\\u005ftoken":null}', json, '/notes'],
  ])('is refused: %s', async (_, body, headers, url) => {
    expect(await send(body, headers, url)).toBe('400 invalid_request')
  })

  test.each<[string, string, readonly string[], string]>([
    ['a fragment', '', [], '/notes#?access_token=x'],
    ['a parameter without a value', 'access_token=', form, '/notes'],
    ['a nested member', '{"a":{"access_token":1}}', json, '/notes'],
    ['a JSON array', '["access_token"]', json, '/notes'],
    ['invalid JSON', '{"access_token":', json, '/notes'],
    [
      'a body of another media type',
      '{"access_token":1}',
      ['content-type', 'text/plain'],
      '/notes',
    ],
    ['a body without a media type', 'access_token=x', [], '/notes'],
    [
      'a body that is too long to be searched',
      `{"access_token":"${'x'.repeat(65_536)}"}`,
      json,
      '/notes',
    ],
  ])('is not found in %s', async (_, body, headers, url) => {
    expect(await send(body, headers, url)).toBe('account-1')
  })
})

describe('answers like the auth server to', () => {
  test.each<[string, readonly [string, string][], string]>([
    ['no token', [], ''],
    ['another scheme', [['Authorization', 'Basic eDp5']], ''],
    ['an empty token', [['Authorization', 'Bearer ']], ''],
    ['garbage', [['Authorization', 'bearer garbage']], ''],
    [
      'two tokens',
      [
        ['Authorization', 'Bearer a'],
        ['authorization', 'Bearer b'],
      ],
      '',
    ],
    ['a token in the query too', [['Authorization', 'Bearer a']], '?access_token=b'],
  ])('%s', async (_, headers, query) => {
    const theirs = await rawRequest(server.url, `/account${query}`, { headers })
    const flat = headers.flat()
    const request = { method: 'GET', url: `/account${query}`, headers: flat, body: undefined }
    const { refusal } = await verifier.verify(request)
    expect(refusal).toMatchObject({ status: theirs.status, body: theirs.text })
    const ours = new Headers(refusal!.headers)
    for (const name of ['content-type', 'cache-control', 'www-authenticate']) {
      expect([name, ours.get(name)]).toEqual([name, theirs.headers.get(name)])
    }
  })

  test('a token that has expired', async () => {
    const iat = clock() / 1000 - 900
    const expired = await tokens.make({ claims: { iat, exp: iat + 900 } })
    const { refusal } = await verifier.verify(withToken(expired))
    expect(refusal?.headers['WWW-Authenticate']).toBe(
      'Bearer realm="jwe-auth-server", error="invalid_token", error_description="The access token has expired."',
    )
  })
})

describe('the verifier', () => {
  const replays = (answer: 'full' | 'account_full'): ReplayCache => ({
    remember: () => Promise.resolve(answer),
  })

  test.each<[string, Partial<ServiceAuthOptions>, string]>([
    ['isAlive returns false', { isAlive: () => false }, '401 invalid_token'],
    ['isAlive fails', { isAlive: () => Promise.reject(new Error('down')) }, '500 server_error'],
    ['the replay cache is full', { replayCache: replays('full') }, '503 temporarily_unavailable'],
    [
      'an account has too many requests in the replay cache',
      { replayCache: replays('account_full') },
      '429 rate_limited',
    ],
    ['the auth server is away', { fetch: away }, '503 temporarily_unavailable'],
  ])('refuses a token if %s', async (_, options, expected) => {
    const { verifier, tokens, logs } = await setUp(options)
    const request = withToken(await tokens.make())
    const { refusal } = await verifier.verify(request)
    expect(`${refusal!.status} ${JSON.parse(refusal!.body).error}`).toBe(expected)
    expect(refusal!.headers).toHaveProperty('Cache-Control', 'no-store')
    if (/^(503|429)/.test(expected)) {
      expect(Number(refusal!.headers['Retry-After'])).toBeGreaterThan(0)
    }
    if (expected.startsWith('500')) {
      expect(refusal!.body).not.toContain('down')
      expect(logs.join('')).toContain('down')
    }
  })

  test('fetches the keys ahead with ready()', async () => {
    expect(await verifier.ready()).toBe(true)
    expect(await (await setUp({ fetch: away })).verifier.ready()).toBe(false)
  })
})
