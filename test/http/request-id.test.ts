import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { logLines } from '../support/log-lines.ts'
import { rawRequest } from '../support/raw-request.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

let server: TestServer

beforeAll(async () => {
  server = await startTestServer()
})
afterAll(() => server.stop())

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
const idOf = async (path: string, ...given: string[]) => {
  const answer = await rawRequest(server.url, path, {
    headers: given.map((id) => ['X-Request-Id', id] as const),
  })
  return answer.headers.get('x-request-id')
}

test.each(['a', '0', 'Ab_9-z', '-', 'x'.repeat(128)])('the request id %s is kept', async (id) => {
  expect(await idOf('/healthz', id)).toBe(id)
})

test.each([
  ['no header', []],
  ['an empty header', ['']],
  ['129 characters', ['x'.repeat(129)]],
  ['a space', ['a b']],
  ['a dot', ['a.b']],
  ['JSON', ['","level":"fatal']],
  ['a letter beyond ASCII', ['\xe9']],
  ['two headers', ['one', 'two']],
])('makes a new request id for %s', async (_, given) => {
  expect(await idOf('/healthz', ...given)).toMatch(UUID)
})

test('gives each request without an id another one', async () => {
  const ids = await Promise.all(Array.from({ length: 20 }, () => idOf('/healthz')))
  expect(new Set(ids).size).toBe(20)
})

test.each(['/nowhere', '/account', '/keys/sig.pem', '/clients/x/configuration'])(
  'the answer of %s and its log line carry the request id',
  async (path) => {
    const id = `id${path.replaceAll(/\W/g, '-')}`
    expect(await idOf(path, id)).toBe(id)
    expect(logLines(server, id)).toContainEqual(expect.objectContaining({ msg: 'request' }))
  },
)
