import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { exportPKCS8, exportSPKI, generateKeyPair, importPKCS8 } from 'jose'
import { createServiceClients } from '../../../server/features/service-clients/service-clients.ts'
import { serviceDatabase } from '../../../server/features/service-clients/service-tables.ts'
import { sweepAssertions } from '../../../server/features/service-clients/used-assertions.ts'
import type { Answer } from '../../support/client.ts'
import type { TestServer } from '../../support/server.ts'
import { JWT_BEARER, makeKeys, Service, startServiceServer } from './service.ts'

let server: TestServer
let service: Service
let keys: Awaited<ReturnType<typeof makeKeys>>
beforeAll(async () => {
  server = await startServiceServer()
  keys = await makeKeys()
  service = await Service.create(server, { keys })
})
afterAll(() => server.stop())

/** An answer without its date and request id. */
const visible = ({ status, headers, text }: Answer) => ({
  status,
  text,
  headers: [...headers].filter(([name]) => !['date', 'x-request-id'].includes(name)),
})

const REFUSED = {
  error: 'invalid_client',
  error_description: 'The client cannot be authenticated.',
}
const GRANT = { grant_type: 'client_credentials' }

/** Each is the only fault of its request. */
const FAULTS: [string, reason: string, () => Promise<Record<string, string>>][] = [
  ['no assertion', 'assertion_missing', () => Promise.resolve({ client_assertion: '' })],
  [
    'another type',
    'assertion_type',
    () =>
      Promise.resolve({
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:saml2-bearer',
      }),
  ],
  ['no type', 'assertion_type', () => Promise.resolve({ client_assertion_type: '' })],
  ['another client_id', 'client_id', () => Promise.resolve({ client_id: 'somebody' })],
  ['text that is not a JWS', 'form', () => Promise.resolve({ client_assertion: 'a.b' })],
  ['padding', 'form', async () => ({ client_assertion: `${await service.assertion()}=` })],
  ...(['iss', 'sub', 'aud', 'exp', 'jti'] as const).map((claim): (typeof FAULTS)[number] => [
    `no ${claim}`,
    'claims',
    async () => ({ client_assertion: await service.assertion({ [claim]: undefined }) }),
  ]),
  ...(
    [
      ['another sub', 'sub', () => ({ sub: 'somebody' })],
      ['an unknown iss', 'unknown_client', () => ({ iss: 'nobody', sub: 'nobody' })],
      ['a list as aud', 'claims', () => ({ aud: [server.config.issuer] })],
      ['the token endpoint as aud', 'aud', () => ({ aud: `${server.config.issuer}/token` })],
      ['the issuer with a slash as aud', 'aud', () => ({ aud: `${server.config.issuer}/` })],
      ['another server as aud', 'aud', () => ({ aud: 'https://other.test' })],
      ['an empty jti', 'claims', () => ({ jti: '' })],
      ['a number as jti', 'claims', () => ({ jti: 5 })],
      ['exp now', 'exp', () => ({ exp: service.now() })],
      ['exp in six minutes', 'exp', () => ({ exp: service.now() + 301 })],
      ['a string as exp', 'claims', () => ({ exp: String(service.now() + 60) })],
      ['an nbf in the future', 'nbf', () => ({ nbf: service.now() + 6 })],
      ['an iat in the future', 'iat', () => ({ iat: service.now() + 6 })],
    ] as [string, string, () => object][]
  ).map(([name, reason, changes]): (typeof FAULTS)[number] => [
    name,
    reason,
    async () => ({ client_assertion: await service.assertion({ ...changes() }) }),
  ]),
  ...(
    [
      ['the typ of an access token', 'typ', { typ: 'at+jwt' }],
      ['a jwk in its header', 'form', { jwk: {} }],
      ['a jku in its header', 'form', { jku: 'https://evil.test' }],
      ['crit in its header', 'form', { crit: ['exp'], exp: 1 }],
    ] as [string, string, Record<string, unknown>][]
  ).map(([name, reason, header]): (typeof FAULTS)[number] => [
    name,
    reason,
    async () => {
      const [head, ...rest] = (await service.assertion()).split('.')
      const members = { ...JSON.parse(Buffer.from(head!, 'base64url').toString()), ...header }
      const forged = Buffer.from(JSON.stringify(members)).toString('base64url')
      return { client_assertion: [forged, ...rest].join('.') }
    },
  ]),
  [
    "another client's key",
    'signature',
    async () => {
      const { privateKey } = await generateKeyPair('ES256')
      return { client_assertion: await service.assertion({}, {}, privateKey) }
    },
  ],
  [
    'another algorithm',
    'alg',
    async () => {
      const { privateKey } = await generateKeyPair('RS256')
      return { client_assertion: await service.assertion({}, { alg: 'RS256' }, privateKey) }
    },
  ],
  [
    'HS256 with the public key as the secret',
    'alg',
    async () => {
      const secret = new TextEncoder().encode(await exportSPKI(keys.sig.publicKey))
      return { client_assertion: await service.assertion({}, { alg: 'HS256' }, secret) }
    },
  ],
  [
    'no signature',
    'alg',
    async () => {
      const [, claims] = (await service.assertion()).split('.')
      const head = Buffer.from('{"alg":"none"}').toString('base64url')
      return { client_assertion: `${head}.${claims}.` }
    },
  ],
]

describe.each(['/token', '/introspect'])('at %s', (path) => {
  let refused: ReturnType<typeof visible>
  beforeAll(async () => {
    refused = visible(await service.send(path, { ...GRANT, client_assertion: 'x' }))
  })

  test.each(FAULTS)('%s is refused in the one wording', async (_, reason, fault) => {
    const answer = await service.send(path, { ...GRANT, token: 'x', ...(await fault()) })
    expect(answer.status).toBe(401)
    expect(answer.body).toEqual(REFUSED)
    expect(visible(answer)).toEqual(refused)
    expect(server.logs.at(-3)).toContain(`"reason":"${reason}"`)
    expect(server.logs.at(-2)).toContain('"audit":"service_refused"')
  })

  test('an assertion is accepted once', async () => {
    const client_assertion = await service.assertion()
    const first = await service.send(path, { ...GRANT, token: 'x', client_assertion })
    expect(first.status).toBe(200)
    const again = await service.send(path, { ...GRANT, token: 'x', client_assertion })
    expect(visible(again)).toEqual(refused)
  })

  test('a removed client is refused', async () => {
    const gone = await Service.create(server)
    const clients = createServiceClients(serviceDatabase(server.database))
    expect((await gone.send(path, { ...GRANT, token: 'x' })).status).toBe(200)
    await clients.remove(gone.id)
    expect(visible(await gone.send(path, { ...GRANT, token: 'x' }))).toEqual(refused)
  })
})

test('an assertion that was used at one endpoint is refused at the other', async () => {
  const client_assertion = await service.assertion()
  expect((await service.token({ client_assertion })).status).toBe(200)
  const again = await service.send('/introspect', { token: 'x', client_assertion })
  expect(again.body).toEqual(REFUSED)
})

test('one of several simultaneous uses of an assertion is accepted', async () => {
  const client_assertion = await service.assertion()
  const answers = await Promise.all(
    Array.from({ length: 5 }, () => service.token({ client_assertion })),
  )
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 401, 401, 401, 401])
})

test('two clients can use the same jti', async () => {
  const other = await Service.create(server)
  for (const each of [service, other]) {
    const client_assertion = await each.assertion({ jti: 'the same' })
    expect((await each.token({ client_assertion })).status).toBe(200)
  }
})

test('a jti is remembered until its assertion has expired at every server, across a restart', async () => {
  const jti = 'kept'
  const client_assertion = await service.assertion({ jti, exp: service.now() + 300 })
  expect((await service.token({ client_assertion })).status).toBe(200)
  server.clock.advance(299)
  const tables = serviceDatabase(server.database)
  await sweepAssertions(tables, server.clock())
  const restarted = await startServiceServer({ ...server, config: server.config })
  try {
    const form = { ...GRANT, client_assertion_type: JWT_BEARER, client_assertion }
    const body = new URLSearchParams(form)
    expect((await fetch(`${restarted.url}/token`, { method: 'POST', body })).status).toBe(401)
  } finally {
    await restarted.stop()
  }
  const expiry = server.clock() + 1000
  const sweepAt = async (time: number) => {
    await sweepAssertions(tables, time)
    return (await left.execute()).length
  }
  const left = tables.selectFrom('used_assertions').selectAll().where('expires_at', '<=', expiry)
  // The clock of another server may be a minute behind.
  expect(await sweepAt(expiry + 59_999)).toBeGreaterThan(0)
  expect(await sweepAt(expiry + 60_000)).toBe(0)
})

test('an assertion that is refused for another reason does not use up its jti', async () => {
  const jti = 'not used up'
  const wrong = await service.assertion({ jti, aud: 'https://other.test' })
  expect((await service.token({ client_assertion: wrong })).status).toBe(401)
  expect((await service.token({ client_assertion: await service.assertion({ jti }) })).status).toBe(
    200,
  )
})

test.each(['ES384', 'ES512', 'EdDSA', 'Ed25519', 'PS256', 'RS256'])(
  'an assertion signed with %s is accepted',
  async (signingAlg) => {
    const other = await Service.create(server, { signingAlg })
    expect((await other.token()).status).toBe(200)
  },
)

test.each([
  ['EdDSA', 'Ed25519'],
  ['Ed25519', 'EdDSA'],
  ['PS256', 'RS256'],
  ['RS256', 'PS256'],
])(
  'a key registered for %s is refused for %s, which it could also sign with',
  async (registered, alg) => {
    const other = await Service.create(server, { signingAlg: registered })
    const key = await importPKCS8(await exportPKCS8(other.signingKey), alg)
    const client_assertion = await other.assertion({}, { alg }, key)
    expect((await other.token({ client_assertion })).body).toEqual(REFUSED)
    expect(server.logs.at(-3)).toContain('"reason":"alg"')
  },
)

test.each([{}, { typ: 'JWT' }, { typ: 'client-authentication+jwt' }, { kid: 'of my own' }])(
  'a header with %j is accepted',
  async (header) => {
    const client_assertion = await service.assertion({}, header)
    expect((await service.token({ client_assertion })).status).toBe(200)
  },
)

test('the request can be JSON and name the client', async () => {
  const response = await fetch(`${server.url}/token`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      grant_type: 'client_credentials',
      client_id: service.id,
      client_assertion_type: JWT_BEARER,
      client_assertion: await service.assertion(),
    }),
  })
  expect(response.status).toBe(200)
})

test('without any registered service client the answers are the same', async () => {
  const empty = await startServiceServer()
  try {
    for (const path of ['/token', '/introspect']) {
      const known = await service.send(path, { ...GRANT, client_assertion: 'x' })
      const body = new URLSearchParams({ ...GRANT, client_assertion: await service.assertion() })
      const response = await fetch(empty.url + path, { method: 'POST', body })
      expect([response.status, await response.text()]).toEqual([known.status, known.text])
    }
  } finally {
    await empty.stop()
  }
})

test('only failures count for the rate limit of their address', async () => {
  const limited = await startServiceServer({
    config: { rateLimits: { ...server.config.rateLimits, refresh: { count: 3, duration: 60 } } },
  })
  try {
    const own = await Service.create(limited)
    const statusOf = async (parameters = {}) =>
      (await own.send('/introspect', { token: 'x', ...parameters })).status
    for (let i = 0; i < 5; i++) expect(await statusOf()).toBe(200)
    for (let i = 0; i < 3; i++) expect(await statusOf({ client_assertion: 'x' })).toBe(401)
    const audits = limited.logs.filter((line) => line.includes('service_refused'))
    expect(await statusOf({ client_assertion: 'x' })).toBe(429)
    expect(audits).toHaveLength(3)
    expect(await statusOf()).toBe(200)
  } finally {
    await limited.stop()
  }
})
