import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { openConnection } from '../support/process.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

let server: TestServer
beforeAll(async () => {
  server = await startTestServer()
})
afterAll(() => server.stop())

async function ask(request: string): Promise<string> {
  const connection = await openConnection(server.url)
  connection.send(`${request}\r\nConnection: close\r\n\r\n`)
  return connection.ended
}

test.each([
  ['without a Host', 'GET /healthz HTTP/1.1\r\nAccept: */*'],
  ['with an invalid Host', 'GET /healthz HTTP/1.1\r\nHost: ['],
  ['with two Hosts', 'GET /healthz HTTP/1.1\r\nHost: test\r\nhost: other.test'],
  ['with the same Host twice', 'GET /healthz HTTP/1.1\r\nHost: test\r\nAccept: */*\r\nHOST: test'],
  ['with a Host and an empty one', 'GET /healthz HTTP/1.1\r\nHost: test\r\nHost:'],
  ['with two empty Hosts', 'GET /healthz HTTP/1.0\r\nHost:\r\nHost:'],
  ['to an invalid URL', 'GET http://[/healthz HTTP/1.1\r\nHost: test'],
  ['to a URL without a host', 'GET http:///healthz HTTP/1.1\r\nHost: test'],
  ['to a URL of another scheme', 'GET ftp://test/healthz HTTP/1.1\r\nHost: test'],
  ['to a host of 262 characters', `GET http://${'a.'.repeat(131)}/healthz HTTP/1.1\r\nHost: test`],
  ['to a host in escapes', `GET http://${'%E4%B8%80'.repeat(900)}/healthz HTTP/1.1\r\nHost: test`],
  ['with a Host of 262 characters', `GET /healthz HTTP/1.1\r\nHost: ${'a.'.repeat(131)}`],
])('a request %s is refused', async (_, request) => {
  const answer = await ask(request)
  expect(answer).toMatch(/^HTTP\/1.1 400 /)
  expect(answer).toContain('"error":"invalid_request"')
  expect(answer).toMatch(/X-Request-Id: \S+/i)
})

test.each([
  ['HTTP/1.0 without a Host', 'GET /healthz HTTP/1.0\r\nAccept: */*'],
  ['HTTP/1.0 with a Host', 'GET /healthz HTTP/1.0\r\nHost: test'],
  ['a header that has Host for its value', 'GET /healthz HTTP/1.1\r\nHost: test\r\nX: Host'],
  ['a Host of 261 characters', `GET /healthz HTTP/1.1\r\nHost: ${'a.'.repeat(130)}a`],
  ['a URL of 8 KiB', `GET /healthz?${'x'.repeat(8192 - 9)} HTTP/1.1\r\nHost: test`],
  [
    'a whole URL with a host of 261 characters',
    `GET HTTP://${'a.'.repeat(130)}a/healthz HTTP/1.1\r\nHost: test`,
  ],
  ['a whole URL', 'GET http://elsewhere.test/healthz HTTP/1.1\r\nHost: elsewhere.test'],
])('%s is answered', async (_, request) => {
  expect(await ask(request)).toMatch(/^HTTP\/1.1 200 /)
})

test('a path that looks like a host is a path', async () => {
  expect(await ask('GET //[/healthz HTTP/1.1\r\nHost: test')).toMatch(/^HTTP\/1.1 404 /)
})

test.each([
  ['a path', '/healthz?', 'x'],
  // A URL parser would take this for a host and normalize it.
  ['a host', '//a', '%CC%95%CC%80%CC%B4'],
])('a URL of more than 8 KiB is refused with 414, even if it begins like %s', async (...url) => {
  const [, start, unit] = url
  const target = start + unit.repeat(Math.ceil(8193 / unit.length))
  const answer = await ask(`GET ${target} HTTP/1.1\r\nHost: test`)
  expect(answer).toMatch(/^HTTP\/1.1 414 /)
  expect(answer).toContain('"error":"invalid_request"')
})
