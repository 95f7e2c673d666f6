/** The server's published documents: how they are cached, and what happens when they are wrong. */
import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { calculateJwkThumbprint } from 'jose'
import { memoryStore } from '../../../client/stores/memory-store.ts'
import {
  clientOf,
  codeOf,
  jsonResponse,
  signedUp,
  startServer,
  storedSession,
  type Party,
  type Wire,
} from '../../support/auth-client.ts'
import { GOOD_PASSWORD, someEmail } from '../../support/client.ts'
import type { TestServer } from '../../support/server.ts'

const METADATA = 'GET /.well-known/oauth-authorization-server'
const JWKS = 'GET /.well-known/jwks.json'
const HOUR = 3600

let server: TestServer
beforeAll(async () => {
  // Tokens outlive these tests, so that only the published keys grow old.
  server = await startServer({ accessTokenTtl: 7 * 86_400 })
})
afterAll(() => server.stop())
afterEach(() => {
  jest.restoreAllMocks()
})

type Published = Record<string, unknown> & { use: string }
const published = () => server.keystore.jwks.keys as Published[]
const without = (use: string) => published().filter((key) => key.use !== use)
const status = async ({ client }: Pick<Party, 'client'>) => (await client.fetch('/account')).status

const UNAVAILABLE = { error: 'temporarily_unavailable', error_description: 'Later.' }
const failures: [string, (wire: Wire) => void, string][] = [
  [
    'answers 503 for its keys',
    (wire) => {
      wire.on(JWKS, () => Promise.resolve(jsonResponse(UNAVAILABLE, 503)))
    },
    'temporarily_unavailable',
  ],
  [
    'publishes {} as its metadata',
    (wire) => {
      wire.on(METADATA, () => Promise.resolve(jsonResponse({})))
    },
    'issuer_mismatch',
  ],
  [
    'publishes {} as its keys',
    (wire) => {
      wire.on(JWKS, () => Promise.resolve(jsonResponse({})))
    },
    'bad_answer',
  ],
  [
    'publishes no signing key',
    (wire) => {
      wire.change(JWKS, { keys: without('sig') })
    },
    'bad_answer',
  ],
  [
    'publishes no encryption key',
    (wire) => {
      wire.change(JWKS, { keys: without('enc') })
    },
    'bad_answer',
  ],
  [
    'publishes another issuer',
    (wire) => {
      wire.change(METADATA, { issuer: 'https://evil.test' })
    },
    'issuer_mismatch',
  ],
  [
    'is unreachable',
    (wire) => {
      for (const line of [METADATA, JWKS]) {
        wire.on(line, () => Promise.reject(new TypeError('fetch failed')))
      }
    },
    'network',
  ],
]

test('a bug is thrown, and no cached copy hides it', async () => {
  const store = memoryStore()
  const { client } = await signedUp(server, { store })
  const bug = new TypeError('x is not a function')
  const write = jest.spyOn(store, 'write').mockRejectedValue(bug)
  server.clock.advance(301)
  await expect(client.fetch('/account')).rejects.toBe(bug)
  write.mockRestore()
  expect((await client.fetch('/account')).status).toBe(200)
})

describe.each(failures)('a server that %s', (_name, fail, code) => {
  test('stops a sign-up, and nothing of it is stored', async () => {
    const { client, wire, store } = clientOf(server)
    fail(wire)
    expect(await codeOf(client.signUp({ email: someEmail(), password: GOOD_PASSWORD }))).toBe(code)
    expect(await store.read('server')).toBeUndefined()
    expect(wire.count('POST /clients')).toBe(0)
  })

  test('does not end the session of a page that starts without a cached copy', async () => {
    const { store, email } = await signedUp(server)
    await store.write('server', undefined)
    const kept = await storedSession(store)
    const { client, wire } = clientOf(server, { store })
    fail(wire)
    expect(await codeOf(client.resume())).toBe(code)
    expect(await storedSession(store)).toEqual(kept)
    expect(await store.read('server')).toBeUndefined()
    for (const line of [METADATA, JWKS]) wire.on(line, undefined)
    // Without a copy there is no ten-second wait: the server is asked at once.
    expect((await client.resume())?.account?.email).toBe(email)
  })

  test('is asked again after ten seconds, while the cached copy stays in use', async () => {
    const party = await signedUp(server, { maxKeyAge: HOUR })
    const { client, wire, store } = party
    const copy = await store.read('server')
    const before = wire.count(JWKS)
    const asked = () => wire.count(JWKS) - before
    fail(wire)
    server.clock.advance(299)
    expect(await status(party)).toBe(200)
    expect(asked()).toBe(0)
    server.clock.advance(1)
    expect(await status(party)).toBe(200)
    expect(asked()).toBe(1)
    server.clock.advance(9)
    expect(await status(party)).toBe(200)
    await client.accessToken()
    expect(asked()).toBe(1)
    server.clock.advance(1)
    expect(await status(party)).toBe(200)
    expect(asked()).toBe(2)
    expect(await store.read('server')).toEqual(copy)
    // A page that is opened now uses the copy too.
    const opened = clientOf(server, { store, fetch: wire.fetch, maxKeyAge: HOUR }).client
    expect(await opened.resume()).toBeDefined()
    // Once the copy is older than maxKeyAge, it is not used.
    server.clock.advance(HOUR)
    expect(await codeOf(client.fetch('/account'))).toBe('keys_too_old')
    expect(await storedSession(store)).toBeDefined()
    for (const line of [METADATA, JWKS]) wire.on(line, undefined)
    expect(await status(party)).toBe(200)
    server.clock.advance(11)
    expect(await status(party)).toBe(200)
  })
})

test('a server that hangs is given up after ten seconds, and the cached copy is used', async () => {
  const party = await signedUp(server)
  const { wire } = party
  const timeout = AbortSignal.timeout.bind(AbortSignal)
  const asked = jest.spyOn(AbortSignal, 'timeout').mockImplementation(() => timeout(50))
  wire.on(
    JWKS,
    ({ signal }) =>
      new Promise((_, reject) => {
        signal.addEventListener('abort', () => {
          reject(signal.reason as Error)
        })
      }),
  )
  server.clock.advance(300)
  expect((await party.client.accessToken()).claims.sid).toBe(party.client.session?.sessionId)
  expect(asked.mock.calls).toEqual([[10_000], [10_000]])
})

test('only the public members of a published key are kept', async () => {
  const { client, wire, store } = clientOf(server)
  const more = { d: 'AAAA', p: 'x', key_ops: ['sign'], ext: true, x5c: ['x'], k: 'x', oth: [] }
  wire.change(JWKS, { keys: published().map((key) => ({ ...key, ...more })) })
  await client.signUp({ email: someEmail(), password: GOOD_PASSWORD })
  expect((await client.fetch('/account')).status).toBe(200)
  await client.refresh()
  const { value } = (await store.read('server')) as { value: { keys: object[] } }
  expect(value.keys.map((key) => Object.keys(key).sort())).toEqual(
    published().map(() => ['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y']),
  )
})

test('a key with a member that is not a string is ignored', async () => {
  const { client, wire } = clientOf(server)
  wire.change(JWKS, { keys: published().map((key) => ({ ...key, x: [key['x']] })) })
  expect(await codeOf(client.register())).toBe('bad_answer')
})

test.each<[string, Record<string, string>]>([
  ['off its curve', { kty: 'EC', crv: 'P-256', x: 'AAAA', y: 'AAAA' }],
  ['on an unknown curve', { kty: 'EC', crv: 'P-1', x: 'AAAA', y: 'AAAA' }],
  ['of an unknown type', { kty: 'XY', crv: 'P-256', x: 'AAAA', y: 'AAAA' }],
])('an encryption key %s is a bad answer, and no token is sent', async (_name, point) => {
  const { client, wire, store } = clientOf(server)
  const { alg } = server.keystore.encryptionKey.publicJwk
  const kid = point['kty'] === 'XY' ? await nameOf(point) : await calculateJwkThumbprint(point)
  wire.change(JWKS, { keys: [...without('enc'), { ...point, use: 'enc', alg, kid }] })
  await client.signUp({ email: someEmail(), password: GOOD_PASSWORD })
  expect(await codeOf(client.fetch('/account'))).toBe('bad_answer')
  expect(await codeOf(client.refresh())).toBe('bad_answer')
  expect([wire.count('GET /account'), wire.count('POST /token')]).toEqual([0, 0])
  expect(client.session).toBeDefined()
  expect(await storedSession(store)).toBeDefined()
})

/** An RFC 7638 thumbprint of a key type that the RFC does not define. */
async function nameOf(members: Record<string, string>): Promise<string> {
  const sorted = Object.fromEntries(Object.entries(members).sort(([a], [b]) => (a < b ? -1 : 1)))
  const bytes = new TextEncoder().encode(JSON.stringify(sorted))
  return Buffer.from(await crypto.subtle.digest('SHA-256', bytes)).toString('base64url')
}
