import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { TestClient } from '../support/client.ts'
import { UNLIMITED } from '../support/config.ts'
import { logLines } from '../support/log-lines.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

const LIMIT = { count: 6, duration: 3600 }

let server: TestServer
let client: TestClient

beforeAll(async () => {
  server = await startTestServer({ config: { rateLimits: { ...UNLIMITED, clients: LIMIT } } })
  client = await TestClient.registered(server.url)
})
afterAll(() => server.stop())

test.each([
  ['GET', '/healthz', '/healthz', 200],
  ['HEAD', '/healthz?secret=1', '/healthz', 200],
  ['GET', '/clients/somebody/configuration', '/clients/:client_id/configuration', 404],
  ['POST', '/clients', '/clients', 400],
  ['GET', '/account', '/account', 401],
  ['GET', '/nowhere/secret', null, 404],
  ['DELETE', '/healthz', null, 405],
])(
  '%s %s logs one line, without path parameters, query, user agent or address',
  async (method, path, route, status) => {
    const id = `log-${method}-${status}-${path.length}`
    await client.send(method, path, undefined, { 'x-request-id': id, 'user-agent': 'secret' })
    const lines = logLines(server, id).filter(({ msg }) => msg === 'request')
    expect(lines).toEqual([
      {
        level: 'info',
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
        request_id: id,
        method,
        route,
        status,
        ms: expect.any(Number),
        msg: 'request',
      },
    ])
    expect(server.logs.join('')).not.toMatch(/secret|somebody|127\.0\.0\.1/)
  },
)

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const PARENT = '00f067aa0ba902b7'

test.each([
  ['is logged', `00-${TRACE}-${PARENT}-01`, { trace_id: TRACE, parent_id: PARENT }],
  ['is left out if it is malformed', `00-${TRACE}-secret-01`, {}],
])('the trace of a request %s', async (_, traceparent, ids) => {
  const id = `trace-${Object.keys(ids).length}`
  await client.send('GET', '/nowhere', undefined, { 'x-request-id': id, traceparent })
  expect(logLines(server, id)).toEqual([
    {
      level: 'info',
      time: expect.any(String),
      request_id: id,
      ...ids,
      method: 'GET',
      route: null,
      status: 404,
      ms: expect.any(Number),
      msg: 'request',
    },
  ])
  expect(server.logs.join('')).not.toContain('secret')
})

test.each([
  [
    'why a refresh token is refused',
    '/token',
    { refresh_token: 'x' },
    400,
    { refresh: 'segments' },
  ],
  ['which limit is exceeded', '/clients', {}, 429, { limit: 'requests' }],
])('the line says %s', async (_, path, body, status, outcome) => {
  const id = `outcome-${status}`
  const parameters = { grant_type: 'refresh_token', ...body }
  if (status === 429) for (let i = 0; i < LIMIT.count; i++) await client.send('POST', path, {})
  await client.send('POST', path, parameters, { 'x-request-id': id })
  expect(logLines(server, id).filter(({ msg }) => msg === 'request')).toEqual([
    expect.objectContaining({ route: path, status, ...outcome }),
  ])
})
