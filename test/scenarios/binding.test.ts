import { createHash, randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import type { ReplayCache } from '../../server/limits/replay-cache.ts'
import { createReplayCache } from '../../server/limits/replay-cache.ts'
import { TestClient, type Answer, type TestSession } from '../support/client.ts'
import { logLines } from '../support/log-lines.ts'
import { PLAIN_PATH, plainRoute } from '../support/plain-route.ts'
import { rawRequest } from '../support/raw-request.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

const BODY = JSON.stringify({ name: 'Zoë' })
const digest = (body: string) => createHash('sha256').update(body).digest('base64url')

/** A server, one of its clients, and a signed-in person. */
interface Scene {
  readonly server: TestServer
  readonly client: TestClient
  readonly session: TestSession
}

async function setUp(options: Parameters<typeof startTestServer>[0] = {}): Promise<Scene> {
  const server = await startTestServer({ features: [plainRoute], ...options })
  const client = await TestClient.registered(server.url)
  return { server, client, session: await client.signUp() }
}

let scene: Scene
beforeAll(async () => {
  scene = await setUp()
})
afterAll(() => scene.server.stop())

interface Sent {
  readonly method?: string
  readonly path?: string
  readonly body?: string
  readonly requestId?: string
}
/** A `req` for a request, as a client makes it. */
const bindingOf = ({ server }: Scene, { method = 'GET', path = '/account', body }: Sent = {}) => ({
  jti: randomUUID(),
  iat: Math.floor(server.clock() / 1000),
  htm: method,
  htu: server.config.issuer + path,
  ...(body === undefined ? {} : { dig: digest(body) }),
})

const send = ({ client }: Scene, token: string, sent: Sent = {}): Promise<Answer> =>
  client.send(sent.method ?? 'GET', sent.path ?? '/account', sent.body, {
    authorization: `Bearer ${token}`,
    ...(sent.requestId === undefined ? {} : { 'x-request-id': sent.requestId }),
  })

/** Seals the session's access token with any `req`, and sends it. */
const sendBound = async (where: Scene, req: unknown, sent: Sent = {}) =>
  send(where, await where.client.seal(where.session.accessJws, { req }), sent)

const visible = ({ status, headers, text }: Answer) => ({
  status,
  text,
  headers: [...headers].filter(([name]) => !['date', 'x-request-id'].includes(name)),
})
/** Expects the one answer to every refused token. */
async function expectRefused(where: Scene, answer: Answer) {
  const reference = await send(where, 'garbage')
  expect(reference.status).toBe(401)
  expect(visible(answer)).toEqual(visible(reference))
}

const PATCH: Sent = { method: 'PATCH', body: BODY }

describe('a bound token is accepted for its request:', () => {
  test.each<[string, Sent]>([
    ['GET', {}],
    ['GET with a query that is not in its htu', { path: '/account?a=1' }],
    ['PATCH with a body', PATCH],
    ['DELETE without a body', { method: 'DELETE', path: PLAIN_PATH }],
  ])('%s', async (_, sent) => {
    const req = { ...bindingOf(scene, sent), htu: `${scene.server.config.issuer}/account` }
    const path = sent.path?.split('?')[0] ?? '/account'
    const answer = await sendBound(scene, { ...req, htu: scene.server.config.issuer + path }, sent)
    expect([200, 204]).toContain(answer.status)
    if (sent.body !== undefined) expect(answer.body.account.name).toBe('Zoë')
  })

  test.each(['?a=1', '#top', '?a=1#top'])('with an htu that ends in %s', async (end) => {
    expect((await sendBound(scene, bindingOf(scene, { path: `/account${end}` }))).status).toBe(200)
  })

  test('HEAD with the htm HEAD, not GET', async () => {
    const head: Sent = { method: 'HEAD' }
    expect((await sendBound(scene, bindingOf(scene, head), head)).status).toBe(200)
    expect((await sendBound(scene, bindingOf(scene), head)).status).toBe(401)
  })

  test('and an unbound token is accepted too', async () => {
    expect((await scene.client.sendAs(scene.session, 'GET', '/account')).status).toBe(200)
  })

  test('with the digest of the exact bytes, not of the same JSON', async () => {
    const spelled = `${BODY} `
    const answer = await sendBound(scene, bindingOf(scene, { ...PATCH, body: spelled }), {
      ...PATCH,
      body: spelled,
    })
    expect(answer.status).toBe(200)
    await expectRefused(
      scene,
      await sendBound(scene, bindingOf(scene, PATCH), { ...PATCH, body: spelled }),
    )
  })

  test('with the digest of a chunked body', async () => {
    const { server, client, session } = scene
    const req = bindingOf(scene, PATCH)
    const answer = await rawRequest(server.url, '/account', {
      method: 'PATCH',
      headers: [
        ['Authorization', `Bearer ${await client.seal(session.accessJws, { req })}`],
        ['Content-Type', 'application/json'],
      ],
      body: BODY,
    })
    expect(answer.status).toBe(200)
  })
})

describe('a bound token is refused in the one wording', () => {
  test.each<[string, Sent, Record<string, unknown>, Sent?]>([
    ['when it is moved to another path', {}, {}, { path: PLAIN_PATH }],
    [
      'when it is moved to the path without its slash',
      { path: '/account/' },
      {},
      { path: '/account' },
    ],
    ['when it is moved to another method', {}, {}, { method: 'DELETE', path: '/account' }],
    ['with another body', PATCH, {}, { ...PATCH, body: '{"name":"Eve"}' }],
    ['with a body added', { method: 'PATCH' }, {}, PATCH],
    ['with its body removed', PATCH, {}, { method: 'PATCH' }],
    ['with a digest but no body', {}, { dig: digest('') }],
    ['for another origin', {}, { htu: 'https://evil.test/account' }],
    ['when it is 61 s old', {}, { iat: -61 }],
    ['when it is 61 s ahead', {}, { iat: 61 }],
  ])('%s', async (_, bound, changes, sent = bound) => {
    const req: Record<string, unknown> = { ...bindingOf(scene, bound), ...changes }
    if (typeof changes['iat'] === 'number') {
      req['iat'] = Math.floor(scene.server.clock() / 1000) + changes['iat']
    }
    await expectRefused(scene, await sendBound(scene, req, sent))
  })

  test.each([-60, 60])('but accepted when its iat is %i s off', async (off) => {
    const req = bindingOf(scene)
    expect((await sendBound(scene, { ...req, iat: req.iat + off })).status).toBe(200)
  })

  test('the second time, even if it is sealed again', async () => {
    const { client, session } = scene
    const req = bindingOf(scene)
    const token = await client.seal(session.accessJws, { req })
    expect((await send(scene, token)).status).toBe(200)
    await expectRefused(scene, await send(scene, token))
    await expectRefused(scene, await sendBound(scene, req))
    await expectRefused(
      scene,
      await sendBound(scene, { ...bindingOf(scene, PATCH), jti: req.jti }, PATCH),
    )
  })

  test('the second time, even as late as possible', async () => {
    const { server, client, session } = scene
    const req = bindingOf(scene)
    const token = await client.seal(session.accessJws, { req: { ...req, iat: req.iat + 60 } })
    expect((await send(scene, token)).status).toBe(200)
    server.clock.advance(120)
    await expectRefused(scene, await send(scene, token))
    expect((await sendBound(scene, bindingOf(scene))).status).toBe(200)
  })

  test('nine times out of ten concurrent uses', async () => {
    const { client, session } = scene
    const token = await client.seal(session.accessJws, { req: bindingOf(scene) })
    const answers = await Promise.all(Array.from({ length: 10 }, () => send(scene, token)))
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
    for (const answer of answers) if (answer.status !== 200) await expectRefused(scene, answer)
  })

  const good = { jti: 'x', iat: 0, htm: 'GET', htu: '' }
  test.each<[string, (req: typeof good) => unknown]>([
    ['null', () => null],
    ['false', () => false],
    ['a number', () => 1],
    ['an empty string', () => ''],
    ['a string', (req) => JSON.stringify(req)],
    ['an empty array', () => []],
    ['an array', (req) => [req]],
    ['an empty object', () => ({})],
    ['an object in an object', (req) => ({ req })],
    ...(['jti', 'iat', 'htm', 'htu'] as const).map(
      (name): [string, (req: typeof good) => unknown] => [
        `without ${name}`,
        (req) => ({ ...req, [name]: undefined }),
      ],
    ),
    ['with an empty jti', (req) => ({ ...req, jti: '' })],
    ['with a jti of 129 characters', (req) => ({ ...req, jti: 'x'.repeat(129) })],
    ['with a jti that is a number', (req) => ({ ...req, jti: 1 })],
    ['with an iat that is a string', (req) => ({ ...req, iat: String(req.iat) })],
    ['with an iat in milliseconds', (req) => ({ ...req, iat: req.iat * 1000 })],
    ['with an iat that is not whole', (req) => ({ ...req, iat: req.iat + 0.5 })],
    ['with an iat below zero', (req) => ({ ...req, iat: -req.iat })],
    ['with a htm in lower case', (req) => ({ ...req, htm: 'get' })],
    ['with a htm that is a list', (req) => ({ ...req, htm: ['GET'] })],
    ['with a htu that is a path', (req) => ({ ...req, htu: '/account' })],
    ['with a htu that is not a URL', (req) => ({ ...req, htu: 'http://[' })],
    ['with a htu of 2,049 characters', (req) => ({ ...req, htu: req.htu.padEnd(2049, '?') })],
    ['with a line break in its htu', (req) => ({ ...req, htu: req.htu.replace('host', 'ho\nst') })],
    ['with a htu that is an object', (req) => ({ ...req, htu: { href: req.htu } })],
    ['with a name in its htu', (req) => ({ ...req, htu: req.htu.replace('//', '//me@') })],
    ['with a password in its htu', (req) => ({ ...req, htu: req.htu.replace('//', '//:pw@') })],
    ['with a dig that is null', (req) => ({ ...req, dig: null })],
    ['with an empty dig', (req) => ({ ...req, dig: '' })],
  ])('with a malformed req: %s', async (_, malform) => {
    await expectRefused(scene, await sendBound(scene, malform(bindingOf(scene))))
  })

  test('with an edited header: its binding can be neither removed nor changed', async () => {
    const { client, session } = scene
    const req = bindingOf(scene)
    const token = await client.seal(session.accessJws, { req })
    const [header = '', ...rest] = token.split('.')
    const decoded = JSON.parse(Buffer.from(header, 'base64url').toString()) as object
    for (const edited of [
      { ...decoded, req: undefined },
      { ...decoded, req: { ...req, htm: 'DELETE' } },
      { ...decoded, req: { ...req, jti: 'another' } },
    ]) {
      const forged = Buffer.from(JSON.stringify(edited)).toString('base64url')
      await expectRefused(scene, await send(scene, [forged, ...rest].join('.')))
    }
    // The unchanged token is still accepted.
    expect((await send(scene, token)).status).toBe(200)
  })
})

describe('a jti', () => {
  test('is not used up by a request that is refused for another reason', async () => {
    const { client, session } = scene
    const req = bindingOf(scene)
    for (const wrong of [
      { htm: 'PATCH' },
      { htu: 'https://evil.test/' },
      { dig: 'x' },
      { iat: 0 },
    ]) {
      expect((await sendBound(scene, { ...req, ...wrong })).status).toBe(401)
    }
    const token = await client.seal(session.accessJws, { req })
    const [head = '', ...rest] = token.split('.')
    expect((await send(scene, token, { path: PLAIN_PATH })).status).toBe(401)
    expect((await send(scene, [head, ...rest.slice(0, 3), 'AAAA'].join('.'))).status).toBe(401)
    expect((await send(scene, token, { path: '/account?access_token=x' })).status).toBe(400)
    expect((await send(scene, token)).status).toBe(200)
  })

  test('is used up for one token only, not for another of any session', async () => {
    const { client, session } = scene
    const req = bindingOf(scene)
    const sessions = [
      session,
      await client.login(session.answer.body.account.email),
      await client.signUp(),
    ]
    for (const { accessJws } of sessions) {
      const token = await client.seal(accessJws, { req })
      expect((await send(scene, token)).status).toBe(200)
      expect((await send(scene, token)).status).toBe(401)
    }
  })

  test('that is replayed is audited, and nothing else is', async () => {
    const { client, session } = scene
    const token = await client.seal(session.accessJws, { req: bindingOf(scene) })
    expect((await send(scene, token, { requestId: 'first' })).status).toBe(200)
    expect((await send(scene, token, { requestId: 'second' })).status).toBe(401)
    const moved: Sent = { path: PLAIN_PATH, requestId: 'third' }
    expect((await send(scene, token, moved)).status).toBe(401)
    const audits = (id: string) => logLines(scene.server, id).filter((line) => 'audit' in line)
    expect([audits('first'), audits('third')]).toEqual([[], []])
    expect(audits('second')).toEqual([
      {
        level: 'warn',
        time: expect.any(String),
        request_id: 'second',
        audit: 'request_replayed',
        account_id: session.answer.body.account.id,
        session_id: session.sessionId,
        client_id: client.id,
        msg: 'request_replayed',
      },
    ])
  })
})

test('a binding from before the server began to remember is refused', async () => {
  const clock = scene.server.clock
  const start = Math.floor(clock() / 1000) + 5
  const late = await setUp({ bindingsNotBefore: start * 1000 })
  try {
    late.server.clock.advance(start - Math.floor(late.server.clock() / 1000))
    const req = bindingOf(late)
    await expectRefused(late, await sendBound(late, { ...req, iat: start - 1 }))
    expect((await sendBound(late, { ...req, iat: start })).status).toBe(200)
    expect((await late.client.sendAs(late.session, 'GET', '/account')).status).toBe(200)
    // A renewal may have waited in a proxy while the server restarted. That must not end the session.
    const renew = async (iat: number) => {
      const bound = { ...bindingOf(late, { method: 'POST', path: '/token' }), iat }
      const refresh_token = await late.client.seal(late.session.refreshJws, { req: bound })
      const grant = { grant_type: 'refresh_token', refresh_token }
      return (await late.client.send('POST', '/token', grant)).status
    }
    const revoke = async (iat: number) => {
      const bound = { ...bindingOf(late, { method: 'POST', path: '/revoke' }), iat }
      const token = await late.client.seal(late.session.accessJws, { req: bound })
      return (await late.client.send('POST', '/revoke', { token })).status
    }
    expect([await renew(start - 1), await renew(start)]).toEqual([503, 200])
    expect([await revoke(start - 1), await revoke(start)]).toEqual([503, 200])
  } finally {
    await late.server.stop()
  }
})

describe('the replay cache', () => {
  test('that is full answers 503, and still refuses what it has seen', async () => {
    const full = await setUp({ replayCache: createReplayCache(1) })
    try {
      const req = bindingOf(full)
      expect((await sendBound(full, req)).status).toBe(200)
      const answer = await sendBound(full, bindingOf(full))
      expect([answer.status, answer.body.error]).toEqual([503, 'temporarily_unavailable'])
      expect(answer.headers.get('retry-after')).toMatch(/^[1-9]\d*$/)
      await expectRefused(full, await sendBound(full, req))
      expect((await full.client.sendAs(full.session, 'GET', '/account')).status).toBe(200)
    } finally {
      await full.server.stop()
    }
  })

  test('has a ninth for one account, which alone gets a 429 beyond that', async () => {
    const small = await setUp({ replayCache: createReplayCache(64) })
    try {
      const { server, client } = small
      const send = async () => (await sendBound(small, bindingOf(small))).status
      let sent = 0
      for (; sent < 64 && (await send()) === 200; sent++);
      expect(sent).toBe(8)
      const answer = await sendBound(small, bindingOf(small))
      expect([answer.status, answer.body.error]).toEqual([429, 'rate_limited'])
      expect(answer.headers.get('retry-after')).toBe('60')

      // The limit holds for the account's other sessions too, but not for unbound tokens.
      const again = await client.login(small.session.answer.body.account.email)
      const elsewhere = { ...small, session: again }
      expect((await sendBound(elsewhere, bindingOf(elsewhere))).status).toBe(429)
      expect((await client.sendAs(again, 'GET', '/account')).status).toBe(200)
      const bob = { ...small, session: await client.signUp() }
      expect((await sendBound(bob, bindingOf(bob))).status).toBe(200)

      server.clock.advance(121)
      expect(await send()).toBe(200)
    } finally {
      await small.server.stop()
    }
  })

  test.each(['/token', '/revoke'])(
    'does not remember tokens of ended sessions that are sent to %s',
    async (path) => {
      const small = await setUp({ replayCache: createReplayCache(64) })
      try {
        const { client, session } = small
        const dead = await client.login(session.answer.body.account.email)
        await client.sendAs(dead, 'POST', '/account/logout')
        for (let i = 0; i < 40; i++) {
          const req = bindingOf(small, { method: 'POST', path })
          const token = await client.seal(dead.refreshJws, { req })
          const body = { grant_type: 'refresh_token', refresh_token: token, token }
          expect((await client.send('POST', path, body)).status).toBe(path === '/token' ? 400 : 200)
        }
        expect((await sendBound(small, bindingOf(small))).status).toBe(200)
      } finally {
        await small.server.stop()
      }
    },
  )

  test('that fails answers 500 without a reason', async () => {
    const replayCache: ReplayCache = { remember: () => Promise.reject(new Error('no cache')) }
    const broken = await setUp({ replayCache })
    try {
      const answers = [await sendBound(broken, bindingOf(broken))]
      for (const path of ['/token', '/revoke']) {
        const req = bindingOf(broken, { method: 'POST', path })
        const token = await broken.client.seal(broken.session.refreshJws, { req })
        const body = { token, refresh_token: token, grant_type: 'refresh_token' }
        answers.push(await broken.client.send('POST', path, body))
      }
      for (const answer of answers) {
        expect([answer.status, answer.body.error]).toEqual([500, 'server_error'])
      }
    } finally {
      await broken.server.stop()
    }
  })

  test('can be shared by two servers', async () => {
    const replayCache = createReplayCache()
    const first = await setUp({ replayCache })
    const { keystore, database, clock } = first.server
    const second = await startTestServer({ keystore, database, clock, replayCache })
    try {
      const token = await first.client.seal(first.session.accessJws, { req: bindingOf(first) })
      expect((await send(first, token)).status).toBe(200)
      const again = await rawRequest(second.url, '/account', {
        headers: [['Authorization', `Bearer ${token}`]],
      })
      expect(again.status).toBe(401)
    } finally {
      await second.stop()
      await first.server.stop()
    }
  })
})

describe.each(['https://auth.proxy.test', 'https://proxy.test/auth', 'http://proxy.test:8080/a/b'])(
  'behind a proxy, as %s',
  (issuer) => {
    test('the htu is the public URL, not the local one', async () => {
      const proxied = await setUp({ config: { issuer } })
      try {
        expect((await sendBound(proxied, bindingOf(proxied))).status).toBe(200)
        expect((await sendBound(proxied, bindingOf(proxied, PATCH), PATCH)).status).toBe(200)
        for (const htu of [`${proxied.server.url}/account`, `${new URL(issuer).host}/account`]) {
          await expectRefused(proxied, await sendBound(proxied, { ...bindingOf(proxied), htu }))
        }
        const { pathname, origin } = new URL(issuer)
        if (pathname !== '/') {
          const htu = `${origin}/account`
          await expectRefused(proxied, await sendBound(proxied, { ...bindingOf(proxied), htu }))
        }
      } finally {
        await proxied.server.stop()
      }
    })
  },
)

const refresh = ({ client }: Scene, refresh_token: string) =>
  client.send('POST', '/token', { grant_type: 'refresh_token', refresh_token })
const tokenPath: Sent = { method: 'POST', path: '/token' }

describe('a bound refresh token', () => {
  const refreshBound = async (changes: Record<string, unknown> = {}) => {
    const { refreshJws } = await scene.client.signUp()
    const req = { ...bindingOf(scene, tokenPath), ...changes }
    return refresh(scene, await scene.client.seal(refreshJws, { req }))
  }

  test('is accepted without a digest', async () => {
    const answer = await refreshBound()
    expect([answer.status, typeof answer.body.access_token]).toEqual([200, 'string'])
  })

  test.each<[string, Record<string, unknown>]>([
    ['another URL', { htu: 'https://evil.test/token' }],
    ['another path', { htu: 'http://localhost:3000/revoke' }],
    ['another method', { htm: 'GET' }],
    ['another time', { iat: 1 }],
    ['a digest', { dig: digest('{}') }],
    ['no jti', { jti: undefined }],
  ])('is refused with %s', async (_, changes) => {
    const answer = await refreshBound(changes)
    expect([answer.status, answer.body.error]).toEqual([400, 'invalid_grant'])
  })

  test('is refused when it is replayed, unlike an unbound one', async () => {
    const { client, session } = { ...scene, session: await scene.client.signUp() }
    const token = await client.seal(session.refreshJws, { req: bindingOf(scene, tokenPath) })
    expect((await refresh(scene, token)).status).toBe(200)
    expect((await refresh(scene, token)).body.error).toBe('invalid_grant')
    expect((await refresh(scene, await client.seal(session.refreshJws))).status).toBe(200)
  })
})

describe('a token that is bound to', () => {
  test.each(['accessJws', 'refreshJws'] as const)(
    'another request is ignored by /revoke: %s',
    async (name) => {
      const { client } = scene
      const session = await client.signUp()
      const sent = name === 'accessJws' ? {} : tokenPath
      const token = await client.seal(session[name], { req: bindingOf(scene, sent) })
      expect((await client.send('POST', '/revoke', { token })).status).toBe(200)
      expect((await client.sendAs(session, 'GET', '/account')).status).toBe(200)
    },
  )

  test('/revoke ends its session', async () => {
    const { client } = scene
    const session = await client.signUp()
    const req = bindingOf(scene, { method: 'POST', path: '/revoke' })
    const token = await client.seal(session.refreshJws, { req })
    expect((await client.send('POST', '/revoke', { token })).status).toBe(200)
    expect((await client.sendAs(session, 'GET', '/account')).status).toBe(401)
  })
})

describe('with REQUEST_BINDING=required', () => {
  let strict: Scene
  beforeAll(async () => {
    strict = await setUp({ config: { requestBinding: 'required' } })
  })
  afterAll(() => strict.server.stop())

  test('an unbound access token is refused in the one wording', async () => {
    await expectRefused(strict, await strict.client.sendAs(strict.session, 'GET', '/account'))
  })

  test('a bound access token is accepted once', async () => {
    const req = bindingOf(strict)
    expect((await sendBound(strict, req)).status).toBe(200)
    await expectRefused(strict, await sendBound(strict, req))
    expect((await sendBound(strict, bindingOf(strict, PATCH), PATCH)).status).toBe(200)
  })

  test('an unbound refresh token is refused, and ends nothing', async () => {
    const { client } = strict
    const { refreshJws } = await client.signUp()
    const unbound = await client.seal(refreshJws)
    const revoked = await client.send('POST', '/revoke', { token: unbound })
    expect(revoked.status).toBe(200)
    expect(await refresh(strict, unbound)).toMatchObject({
      status: 400,
      body: { error: 'invalid_grant' },
    })
    const req = bindingOf(strict, { method: 'POST', path: '/token' })
    expect((await refresh(strict, await client.seal(refreshJws, { req }))).status).toBe(200)
  })

  test('the metadata says so', async () => {
    const { body } = await strict.client.send('GET', '/.well-known/oauth-authorization-server')
    expect(body.request_binding).toBe('required')
  })
})
