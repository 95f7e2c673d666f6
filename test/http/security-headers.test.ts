import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { rawRequest } from '../support/raw-request.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

let server: TestServer

beforeAll(async () => {
  server = await startTestServer()
})
afterAll(() => server.stop())

test.each([
  ['GET', '/healthz', 200],
  ['GET', '/keys/sig.pem', 200],
  ['GET', '/account', 401],
  ['GET', '/nowhere', 404],
  ['DELETE', '/healthz', 405],
  ['POST', '/clients', 400],
])('%s %s (%i) has the security headers', async (method, path, status) => {
  const answer = await rawRequest(server.url, path, { method })
  expect(answer.status).toBe(status)
  expect(Object.fromEntries(answer.headers)).toMatchObject({
    'content-security-policy': "default-src 'none';frame-ancestors 'none'",
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cross-origin-resource-policy': 'same-origin',
    'strict-transport-security': expect.stringMatching(/^max-age=\d{7,}/),
  })
  expect(answer.headers.has('x-powered-by')).toBe(false)
  expect(answer.headers.has('server')).toBe(false)
})
