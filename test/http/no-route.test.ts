import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { rawRequest } from '../support/raw-request.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

let server: TestServer

beforeAll(async () => {
  server = await startTestServer()
})
afterAll(() => server.stop())

test.each([
  ['GET', '/nowhere'],
  ['POST', '/nowhere'],
  ['GET', '/account/'],
  ['GET', '/Account'],
  ['GET', '//account'],
  ['GET', '/account/x'],
  ['GET', '/clients'.repeat(100)],
  ['GET', '/clients/a/b/configuration'],
  ['GET', '/%00'],
  ['GET', '/%E0%A4%A'],
  ['GET', '/keys/enc.key'],
  ['GET', '/.env'],
  ['OPTIONS', '*'],
])('%s %s is not found', async (method, path) => {
  const answer = await rawRequest(server.url, path, { method })
  expect(answer.status).toBe(404)
  expect(answer.body).toEqual({ error: 'not_found', error_description: expect.any(String) })
  expect(answer.headers.get('cache-control')).toBe('no-store')
  expect(answer.headers.has('allow')).toBe(false)
})

test.each([
  ['POST', '/healthz', 'GET HEAD'],
  ['DELETE', '/readyz', 'GET HEAD'],
  ['PUT', '/.well-known/jwks.json', 'GET HEAD'],
  ['POST', '/.well-known/oauth-authorization-server', 'GET HEAD'],
  ['PATCH', '/keys/sig.pem', 'GET HEAD'],
  ['PROPFIND', '/keys/enc.pem', 'GET HEAD'],
  ['DELETE', '/clients', 'POST'],
  ['POST', '/clients/x/configuration', 'GET HEAD'],
  ['TRACE', '/account', 'DELETE GET HEAD PATCH POST'],
  ['GET', '/account/login', 'POST'],
  ['GET', '/account/logout', 'POST'],
])('%s %s is not allowed, but %s', async (method, path, allowed) => {
  const answer = await rawRequest(server.url, path, { method })
  expect(answer.status).toBe(405)
  expect(answer.body.error).toBe('method_not_allowed')
  const allow = answer.headers.get('allow')?.split(', ').sort()
  expect(allow).toEqual(allowed.split(' '))
})

test('HEAD of a route that only takes POST is not allowed', async () => {
  const answer = await rawRequest(server.url, '/clients', { method: 'HEAD' })
  expect([answer.status, answer.headers.get('allow'), answer.text]).toEqual([405, 'POST', ''])
})

test('a request target that is not a URL gets a 4xx', async () => {
  const answer = await rawRequest(server.url, 'http://[/healthz')
  expect(answer.status).toBeGreaterThanOrEqual(400)
  expect(answer.status).toBeLessThan(500)
})
