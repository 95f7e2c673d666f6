import { beforeAll, afterAll, expect, test } from '@jest/globals'
import { GOOD_PASSWORD, TestClient, type TestSession } from '../support/client.ts'
import { logLines } from '../support/log-lines.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

let server: TestServer
let client: TestClient
let session: TestSession
let token: string

beforeAll(async () => {
  server = await startTestServer()
  client = await TestClient.registered(server.url)
  session = await client.signUp()
  token = await client.seal(session.accessJws)
  await server.database.destroy()
})
afterAll(() => server.stop())

test.each<[string, string, unknown?]>([
  ['GET', '/account'],
  ['POST', '/account/logout'],
  ['PATCH', '/account', { name: 'x' }],
  ['DELETE', '/account', { password: GOOD_PASSWORD }],
  ['POST', '/account/login', { email: 'a@b.test', password: GOOD_PASSWORD, client_id: 'x' }],
  ['POST', '/account', { email: 'a@b.test', password: GOOD_PASSWORD, client_id: 'x' }],
  ['GET', '/clients/x/configuration'],
])('with a failing database, %s %s is a bare 500', async (...[method, path, body]) => {
  const id = `failing-${method}-${path.replaceAll(/\W/g, '-')}`
  const answer = await client.send(method, path, body, {
    authorization: `Bearer ${token}`,
    'x-request-id': id,
  })
  expect(answer.status).toBe(500)
  expect(answer.headers.get('x-request-id')).toBe(id)
  expect(answer.headers.get('cache-control')).toBe('no-store')
  expect(answer.headers.has('www-authenticate')).toBe(false)
  expect(answer.body).toEqual({
    error: 'server_error',
    error_description: 'Something went wrong on the server.',
  })

  const failures = logLines(server, id).filter(({ level }) => level === 'error')
  expect(failures).toEqual([
    expect.objectContaining({
      msg: 'request failed',
      err: {
        type: 'Error',
        message: expect.stringMatching(/driver/),
        stack: expect.stringMatching(/driver.*\n\s+at /),
      },
    }),
  ])
})

test('the process lives on, and says that it is not ready', async () => {
  const live = await client.send('GET', '/healthz')
  expect([live.status, live.body]).toEqual([200, { status: 'ok' }])
  const ready = await client.send('GET', '/readyz')
  expect([ready.status, ready.body]).toEqual([503, { status: 'unavailable' }])
  expect((await client.send('GET', '/.well-known/jwks.json')).status).toBe(200)
})
