import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { TestClient } from '../support/client.ts'
import { logLines } from '../support/log-lines.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

let server: TestServer
let client: TestClient

beforeAll(async () => {
  server = await startTestServer()
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
])('%s %s is one line', async (method, path, route, status) => {
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
})
