import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { rawRequest } from './support/raw-request.ts'
import { startTestServer, type TestServer } from './support/server.ts'

let server: TestServer
let stopping = false

beforeAll(async () => {
  server = await startTestServer({ isServing: () => !stopping })
})
afterAll(() => server.stop())

test.each([
  ['GET', '/healthz', 200, 200],
  ['GET', '/readyz', 200, 503],
  ['GET', '/.well-known/jwks.json', 200, 503],
  ['GET', '/account', 401, 503],
  ['POST', '/clients', 400, 503],
  ['GET', '/nowhere', 404, 503],
])('%s %s gives %i, and %i while the server stops', async (method, path, before, during) => {
  stopping = false
  expect((await rawRequest(server.url, path, { method })).status).toBe(before)
  stopping = true
  const answer = await rawRequest(server.url, path, { method })
  expect(answer.status).toBe(during)
  if (path === '/healthz') expect(answer.body).toEqual({ status: 'ok' })
  else if (path === '/readyz') expect(answer.body).toEqual({ status: 'unavailable' })
  else {
    expect(answer.body.error).toBe('temporarily_unavailable')
    expect(answer.headers.get('retry-after')).toMatch(/^[1-9]\d*$/)
    expect(answer.headers.get('cache-control')).toBe('no-store')
  }
})
