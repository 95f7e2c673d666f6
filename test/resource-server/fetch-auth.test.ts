import { afterAll, beforeAll, expect, test } from '@jest/globals'
import {
  createFetchAuth,
  createLogger,
  type FetchAuth,
} from '../../server/resource-server/verifier.ts'
import { createClock } from '../support/clock.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { createLine, ISSUER } from './fixtures.ts'
import { createTokenMaker } from './token-maker.ts'

const SERVICE = 'https://notes.test'

const clock = createClock()
const logs: string[] = []
let server: TestServer
let setUp: (maxBody?: number) => Promise<{ auth: FetchAuth; tokens: TokenMaker }>
let auth: FetchAuth
let tokens: TokenMaker
type TokenMaker = ReturnType<typeof createTokenMaker>
beforeAll(async () => {
  server = await startTestServer({ clock, config: { issuer: ISSUER } })
  const { fetch } = createLine(server)
  const logger = createLogger('trace', { write: (line) => void logs.push(line) })
  setUp = async (maxBody) => {
    const options = { issuer: ISSUER, url: SERVICE, logger, clock, fetch }
    const auth = await createFetchAuth(maxBody === undefined ? options : { ...options, maxBody })
    return { auth, tokens: createTokenMaker({ clock, server }, SERVICE, auth.jwks) }
  }
  ;({ auth, tokens } = await setUp())
})
afterAll(() => server.stop())

const post = (token: string, body: RequestInit['body'] = null, headers = {}) =>
  new Request(`${SERVICE}/notes`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, ...headers },
    body,
    duplex: 'half',
  } as RequestInit)

/** A body of unknown length that arrives in pieces. */
const streamed = (...pieces: readonly string[]) =>
  new ReadableStream<Uint8Array>({
    start(controller) {
      for (const piece of pieces) controller.enqueue(Buffer.from(piece))
      controller.close()
    },
  })

async function refusalOf(request: Request, of = auth) {
  const { refusal } = await of.verify(request)
  return [refusal?.status, (await refusal?.json()) as unknown]
}

test('returns the claims of the token, and leaves the body readable', async () => {
  const token = await tokens.make({ method: 'POST', body: 'one two' })
  const request = post(token, streamed('one', ' two'))
  const { claims, refusal } = await auth.verify(request)
  expect([claims?.sub, refusal]).toEqual(['account-1', undefined])
  expect(await request.text()).toBe('one two')
})

test('accepts a request without a body', async () => {
  const token = await tokens.make()
  const request = new Request(`${SERVICE}/notes`, { headers: { authorization: `bearer ${token}` } })
  expect((await auth.verify(request)).claims?.sub).toBe('account-1')
})

test('refuses another body, with a complete response', async () => {
  const token = await tokens.make({ method: 'POST', body: 'one' })
  const { refusal } = await auth.verify(post(token, 'two'))
  expect(refusal?.status).toBe(401)
  expect(Object.fromEntries(refusal!.headers)).toEqual({
    'content-type': 'application/json; charset=utf-8',
    'cache-control': 'no-store',
    'www-authenticate':
      'Bearer realm="jwe-auth-server", error="invalid_token", error_description="The access token is not valid."',
  })
  expect(await refusal?.json()).toEqual({
    error: 'invalid_token',
    error_description: 'The access token is not valid.',
  })
})

test('refuses a token without the required scope', async () => {
  const { refusal } = await auth.verify(post(await tokens.make({ method: 'POST' })), {
    scope: 'admin',
  })
  expect(refusal?.status).toBe(403)
})

test.each([
  ['Bearer', 'Bearer'],
  ['bearer', 'BASIC'],
  ['Basic', 'Bearer'],
])('refuses two Authorization headers, which Fetch joins: %s, %s', async (...schemes) => {
  const request = post(await tokens.make({ method: 'POST' }))
  request.headers.delete('authorization')
  for (const scheme of schemes) {
    request.headers.append('authorization', `${scheme} ${await tokens.make({ method: 'POST' })}`)
  }
  expect(await refusalOf(request)).toEqual([
    400,
    {
      error: 'invalid_request',
      error_description: 'There is more than one Authorization header.',
    },
  ])
})

test.each(['Bearer a,b', 'Bearer a, b', 'Bearer ,', ', Bearer a'])(
  'one header with a comma is refused like any other: %j',
  async (authorization) => {
    expect((await auth.verify(post('', null, { authorization }))).refusal?.status).toBe(
      authorization.startsWith(',') ? 400 : 401,
    )
  },
)

test('refuses a body over 64 KiB, with and without a Content-Length', async () => {
  const tooLarge = [
    413,
    { error: 'payload_too_large', error_description: 'The body is over 64 KiB.' },
  ]
  const body = 'x'.repeat(65_537)
  const token = await tokens.make({ method: 'POST', body })
  expect(await refusalOf(post(token, body, { 'content-length': '65537' }))).toEqual(tooLarge)
  let pulled = 0
  const endless = new ReadableStream<Uint8Array>({
    pull(controller) {
      pulled += 1
      controller.enqueue(new Uint8Array(16_384))
    },
  })
  expect(await refusalOf(post(token, endless))).toEqual(tooLarge)
  expect(pulled).toBeLessThan(10)
  const longest = body.slice(1)
  const good = post(await tokens.make({ method: 'POST', body: longest }), longest)
  expect((await auth.verify(good)).claims?.sub).toBe('account-1')
})

test('the limit can be changed', async () => {
  const own = await setUp(1024 * 1024)
  const body = 'x'.repeat(1024 * 1024)
  const good = post(await own.tokens.make({ method: 'POST', body }), body)
  expect((await own.auth.verify(good)).claims?.sub).toBe('account-1')
  expect(await refusalOf(post('x', `${body}x`), own.auth)).toEqual([
    413,
    { error: 'payload_too_large', error_description: 'The body is over 1024 KiB.' },
  ])
})

test('a body that breaks off is refused', async () => {
  const broken = new ReadableStream<Uint8Array>({
    pull(controller) {
      controller.error(new Error('aborted'))
    },
  })
  expect(await refusalOf(post(await tokens.make({ method: 'POST' }), broken))).toEqual([
    400,
    { error: 'invalid_request', error_description: 'The body is incomplete.' },
  ])
})

test('a body that has already been read is a 500, and logged', async () => {
  const request = post(await tokens.make({ method: 'POST', body: 'one' }), 'one')
  await request.text()
  expect((await auth.verify(request)).refusal?.status).toBe(500)
  expect(logs.join('')).toContain('Something else has read the body.')
})
