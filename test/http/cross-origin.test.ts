import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { rawRequest } from '../support/raw-request.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

const APP = 'https://app.example.com'
const OTHER_APP = 'http://localhost:5173'

let open: TestServer
let closed: TestServer

beforeAll(async () => {
  open = await startTestServer({ config: { corsOrigins: [APP, OTHER_APP] } })
  closed = await startTestServer()
})
afterAll(async () => {
  await open.stop()
  await closed.stop()
})

const ask = (server: TestServer, origin: string, path = '/healthz') =>
  rawRequest(server.url, path, { headers: [['Origin', origin]] })

const preflight = (server: TestServer, origin: string, path = '/account') =>
  rawRequest(server.url, path, {
    method: 'OPTIONS',
    headers: [
      ['Origin', origin],
      ['Access-Control-Request-Method', 'PATCH'],
      ['Access-Control-Request-Headers', 'authorization,content-type'],
    ],
  })

const words = (list: string | null) => (list ?? '').toLowerCase().split(/, */)
const corsHeaders = (headers: Headers) =>
  [...headers.keys()].filter((name) => name.startsWith('access-control-'))

test.each([
  [APP, '/healthz', 200],
  [OTHER_APP, '/healthz', 200],
  [APP, '/account', 401],
  [APP, '/nowhere', 404],
])('%s may read the answer of %s, %i', async (origin, path, status) => {
  const { headers, status: actual } = await ask(open, origin, path)
  expect(actual).toBe(status)
  expect(headers.get('access-control-allow-origin')).toBe(origin)
  expect(words(headers.get('access-control-expose-headers'))).toEqual(
    expect.arrayContaining(['date', 'etag', 'retry-after', 'www-authenticate', 'x-request-id']),
  )
  expect(headers.get('access-control-allow-credentials')).toBeNull()
  expect(words(headers.get('vary'))).toContain('origin')
})

test('a preflight lists the methods and headers that an app may send', async () => {
  const { status, headers, text } = await preflight(open, APP)
  expect([status, text]).toEqual([204, ''])
  expect(headers.get('access-control-allow-origin')).toBe(APP)
  expect(words(headers.get('access-control-allow-methods'))).toEqual(
    expect.arrayContaining(['get', 'post', 'put', 'patch', 'delete']),
  )
  expect(words(headers.get('access-control-allow-headers'))).toEqual(
    expect.arrayContaining(['authorization', 'content-type']),
  )
  expect(headers.get('access-control-max-age')).toBe('600')
  expect(headers.get('x-request-id')).not.toBeNull()
})

test.each([
  'https://evil.example.com',
  'https://app.example.com.evil.test',
  'http://app.example.com',
  'https://APP.example.com',
  'https://app.example.com:8443',
  `${APP},${OTHER_APP}`,
  'null',
  '',
])('the origin "%s" gets no CORS header', async (origin) => {
  for (const { headers } of [await ask(open, origin), await preflight(open, origin)]) {
    expect(corsHeaders(headers)).toEqual([])
    expect(words(headers.get('vary'))).toContain('origin')
  }
})

test('without configured origins, no origin gets a CORS header', async () => {
  for (const { headers } of [await ask(closed, APP), await preflight(closed, APP)]) {
    expect(corsHeaders(headers)).toEqual([])
  }
  expect((await preflight(closed, APP)).status).toBe(405)
})

test('OPTIONS without a preflight is refused with 405', async () => {
  const answer = await rawRequest(open.url, '/account', {
    method: 'OPTIONS',
    headers: [['Origin', APP]],
  })
  expect([answer.status, answer.body.error]).toEqual([405, 'method_not_allowed'])
})
