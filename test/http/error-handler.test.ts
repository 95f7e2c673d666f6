import { beforeAll, afterAll, expect, test } from '@jest/globals'
import Koa from 'koa'
import type { RequestState } from '../../server/http/context.ts'
import { HttpError } from '../../server/http/http-error.ts'
import { createHttpServer } from '../../server/listener/http-server.ts'
import { TooManyTries } from '../../server/errors/too-many-tries.ts'
import { createLogger } from '../../server/log/logger.ts'
import { errors } from '../../server/http/error-handler.ts'
import { requestId } from '../../server/http/request-log.ts'
import { UnavailableError } from '../../server/errors/unavailable-error.ts'
import { GOOD_PASSWORD, TestClient, type TestSession } from '../support/client.ts'
import { UNLIMITED } from '../support/config.ts'
import { logLines } from '../support/log-lines.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

let server: TestServer
let client: TestClient
let session: TestSession
let token: string

beforeAll(async () => {
  // A limit that cannot be counted is a 503: see limits/rate-limits.ts.
  server = await startTestServer({ config: { rateLimits: UNLIMITED } })
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
])(
  'with a failing database, %s %s answers a 500 without details, and logs them',
  async (...[method, path, body]) => {
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
  },
)

test('with a failing database, the process keeps running and is not ready', async () => {
  const live = await client.send('GET', '/healthz')
  expect([live.status, live.body]).toEqual([200, { status: 'ok' }])
  const ready = await client.send('GET', '/readyz')
  expect([ready.status, ready.body]).toEqual([503, { status: 'unavailable' }])
  expect((await client.send('GET', '/.well-known/jwks.json')).status).toBe(200)
})

/** The answer to what is thrown below the middleware, and the failures that are logged. */
async function answerTo(thrown: unknown) {
  const logs: string[] = []
  const app = new Koa<RequestState>()
  app.use(requestId(createLogger('trace', { write: (line) => void logs.push(line) })))
  app.use(errors())
  app.use(() => {
    throw thrown as Error
  })
  const callback = app.callback()
  const http = createHttpServer((request, response) => void callback(request, response))
  const response = await fetch(`http://127.0.0.1:${await http.listen(0, '127.0.0.1')}/`)
  const { error } = (await response.json()) as { error: string }
  await http.stop(0)
  const lines = logs.map((line) => JSON.parse(line) as { msg: string; err?: { cause?: object } })
  const failures = lines.filter(({ msg }) => msg === 'request failed')
  const { status, headers } = response
  return { answer: [status, error, headers.get('retry-after')], failures }
}

const CAUSE = new Error('connect ECONNREFUSED')

test.each<[string, unknown, unknown[], boolean]>([
  ['an HttpError', new HttpError('not_found', 'No.'), [404, 'not_found', null], false],
  ['too many requests', new TooManyTries('requests', 6.2), [429, 'rate_limited', '7'], false],
  [
    'too many requests without a wait',
    new TooManyTries('requests', 0),
    [429, 'rate_limited', '1'],
    false,
  ],
  [
    'too many wrong passwords',
    new TooManyTries('wrong_passwords', 900),
    [429, 'rate_limited', '900'],
    false,
  ],
  ['a full queue', new UnavailableError('full', 5), [503, 'temporarily_unavailable', '5'], false],
  [
    'storage that is away',
    new UnavailableError('away', 5, { cause: CAUSE }),
    [503, 'temporarily_unavailable', '5'],
    true,
  ],
  ['a bug', new TypeError('x is not a function'), [500, 'server_error', null], true],
  ['something thrown that is not an Error', 'thrown', [500, 'server_error', null], true],
])('answers %s, and logs only faults of the server', async (_, thrown, expected, isLogged) => {
  const { answer, failures } = await answerTo(thrown)
  expect(answer).toEqual(expected)
  expect(failures).toHaveLength(isLogged ? 1 : 0)
})

test('logs the cause of a 503', async () => {
  const { failures } = await answerTo(new UnavailableError('away', 5, { cause: CAUSE }))
  expect(failures[0]?.err).toMatchObject({ message: 'away', cause: { message: CAUSE.message } })
})
