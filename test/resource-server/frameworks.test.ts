/** The services that docs/another-service.md shows, as programs, with a real server and client. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { AuthClient, memoryStore } from '../../client/index.ts'
import { serviceExample, type Framework } from '../../scripts/service-examples.ts'
import { GOOD_PASSWORD, someEmail } from '../support/client.ts'
import { freePort, killAll, run, runText } from '../support/process.ts'
import { rawRequest } from '../support/raw-request.ts'

const FRAMEWORKS: readonly Framework[] = ['koa', 'express', 'fastify', 'hono']
const SOURCES = './server/resource-server'

const localUrl = async () => `http://localhost:${await freePort()}`

/** Changes a request with a token before it is sent. */
let onTheWay: ((request: Request) => Request | Promise<Request>) | undefined
let issuer: string
let client: AuthClient
const services = new Map<Framework, string>()

beforeAll(async () => {
  issuer = await localUrl()
  const server = run('server/index.ts', {
    PORT: new URL(issuer).port,
    ISSUER: issuer,
    DATABASE_URL: 'file::memory:',
  })
  await server.ready()
  await Promise.all(
    FRAMEWORKS.map(async (framework) => {
      const url = await localUrl()
      const service = runText(
        serviceExample(framework, issuer, url)
          .replaceAll('@jwe-auth-server/service/verifier', `${SOURCES}/verifier.ts`)
          .replaceAll('@jwe-auth-server/service', `${SOURCES}/index.ts`),
      )
      await service.stdout.until(/^listening$/m)
      services.set(framework, url)
    }),
  )
  client = new AuthClient({
    server: issuer,
    services: [...services.values()],
    store: memoryStore(),
    async fetch(request) {
      const isSigned = request.headers.has('authorization')
      return fetch(isSigned ? ((await onTheWay?.(request)) ?? request) : request)
    },
  })
  await client.signUp({ email: someEmail(), password: GOOD_PASSWORD })
})
afterAll(killAll)

describe.each(FRAMEWORKS)('on %s', (framework) => {
  const url = () => services.get(framework)!
  const post = (body: string): RequestInit => ({
    method: 'POST',
    body,
    headers: { 'content-type': 'application/json' },
  })

  /** Calls the service, with a change on the way from the client. */
  async function call(init: RequestInit, change: typeof onTheWay) {
    onTheWay = change
    try {
      const { status } = await client.fetch(`${url()}/`, init)
      return status
    } finally {
      onTheWay = undefined
    }
  }

  test('accepts the requests of a client', async () => {
    const hello = { hello: client.session?.claims.sub }
    for (const init of [{}, post('{"a":"ä"}'), { method: 'DELETE' }]) {
      const answer = await client.fetch(`${url()}/?page=2`, init)
      expect([answer.status, await answer.json()]).toEqual([200, hello])
    }
  })

  test('refuses a request that was changed on its way', async () => {
    expect(await call({}, (request) => request)).toBe(200)
    expect(await call({}, (request) => new Request(request, { method: 'PUT' }))).toBe(401)
    expect(
      await call(post('{"a":1}'), (request) => new Request(request, { body: '{"a":2}' })),
    ).toBe(401)
    expect(await call({ method: 'POST' }, (request) => new Request(request, post('{}')))).toBe(401)
  })

  test('refuses a replayed request', async () => {
    const replayed = await call(post('{"a":1}'), async (request) => {
      expect((await fetch(request.clone())).status).toBe(200)
      return request
    })
    expect(replayed).toBe(401)
  })

  test.each<[string, readonly (readonly [string, string])[], string]>([
    ['no token', [], '/'],
    ['garbage', [['Authorization', 'bearer garbage']], '/'],
    [
      'two tokens',
      [
        ['Authorization', 'Bearer a'],
        ['Authorization', 'Bearer b'],
      ],
      '/',
    ],
    ['a token in the query too', [['Authorization', 'Bearer a']], '/?access_token=b'],
  ])('answers as the auth server does: %s', async (_, headers, path) => {
    const theirs = await rawRequest(issuer, path.replace('/', '/account'), { headers })
    const ours = await rawRequest(url(), path, { headers })
    const shown = ({ status, text, headers }: typeof ours) => [
      status,
      text,
      headers.get('content-type'),
      headers.get('cache-control'),
      headers.get('www-authenticate'),
    ]
    expect(shown(ours)).toEqual(shown(theirs))
  })

  test('refuses a compressed body, which its framework could unpack', async () => {
    const headers = [['Content-Encoding', 'gzip'] as const]
    const answer = await rawRequest(url(), '/', { method: 'POST', headers, body: 'x' })
    expect(answer.status).toBe(415)
  })
})
