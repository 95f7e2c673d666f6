/**
 * A service that opens a key-bound token can keep it, as a thief would, but cannot use it anywhere
 * else.
 */
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { CompactEncrypt, type JSONWebKeySet, type JWK } from 'jose'
import type { EncryptionCrv } from '../../protocol/algorithms.ts'
import { generateKeyPair, type KeyPair } from '../../server/keystore/key-pair.ts'
import type { ReplayCache } from '../../server/limits/replay-cache.ts'
import { createReplayCache } from '../../server/limits/replay-cache.ts'
import { createLogger } from '../../server/log/logger.ts'
import { createVerifier, type ServiceAuthOptions } from '../../server/resource-server/verifier.ts'
import { TestClient } from '../support/client.ts'
import { importPrivate, macOf } from '../support/request-proof.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { DEFAULTS } from '../token/fixtures.ts'
import { createLine, ISSUER } from './fixtures.ts'

/** What the service asks its replay memory to remember. */
let remembered: string[] = []
const memory = createReplayCache(1000)
const replayCache: ReplayCache = {
  remember(id, ...rest) {
    remembered.push(id)
    return memory.remember(id, ...rest)
  },
}

let server: TestServer
let keys: { readonly notes: KeyPair; readonly photos: KeyPair }
beforeAll(async () => {
  server = await startTestServer({ config: { issuer: ISSUER } })
  keys = {
    notes: await generateKeyPair('enc', DEFAULTS),
    photos: await generateKeyPair('enc', DEFAULTS),
  }
})
afterAll(() => server.stop())

const GET = { method: 'GET', url: '/notes', body: undefined }

/** A service, and a function that sends it a token. */
async function createService(encryptionKey: KeyPair, options: Partial<ServiceAuthOptions> = {}) {
  const url = `https://${encryptionKey.kid.toLowerCase().replaceAll(/[^a-z0-9]/g, '')}.test`
  const verifier = await createVerifier({
    issuer: ISSUER,
    url,
    encryptionKey,
    replayCache,
    clock: server.clock,
    logger: createLogger('silent'),
    fetch: createLine(server).fetch,
    ...options,
  })
  return {
    url,
    jwk: published(verifier.jwks),
    async get(token: string) {
      const headers = ['Authorization', `Bearer ${token}`]
      const { refusal, claims } = await verifier.verify({ ...GET, headers })
      if (refusal === undefined) return claims.sub
      expect(refusal.body).toMatch('invalid_token')
      return refusal.status
    },
  }
}
const published = ({ keys: [key] }: JSONWebKeySet): JWK => key!

const bindTo = (url: string, path = '/notes') => ({
  jti: randomUUID(),
  iat: Math.floor(server.clock() / 1000),
  htm: 'GET',
  htu: url + path,
})

const seal = async (jws: string, jwk: JWK, req: object) =>
  new CompactEncrypt(new TextEncoder().encode(jws))
    .setProtectedHeader({ alg: jwk.alg!, enc: 'A128GCM', kid: jwk.kid!, cty: 'JWT', req })
    .encrypt(jwk)

/** As the client does it: sealed to `jwk`, with the proof for it. */
async function prove(client: TestClient, jws: string, jwk: JWK, req: object) {
  const { privateKey, id: clientId } = client
  const recipient = { kid: '', ...jwk }
  const mac = await macOf({ privateKey, clientId, recipient, jws, req: { ...req } })
  return { token: await seal(jws, jwk, { ...req, mac }), mac }
}

let client: TestClient
let jws: string
let account: string
beforeEach(async () => {
  client = await TestClient.registered(server.url, { key_bound_tokens: true })
  const session = await client.signUp()
  jws = session.accessJws
  account = session.answer.body.account.id
  remembered = []
})

test('the client itself can use its token at each service, once per request', async () => {
  for (const key of [keys.notes, keys.photos]) {
    const service = await createService(key)
    const { token } = await prove(client, jws, service.jwk, bindTo(service.url))
    expect(await service.get(token)).toBe(account)
    expect(await service.get(token)).toBe(401)
  }
})

test.each<EncryptionCrv>(['P-384', 'P-521', 'X25519'])(
  'a service with a key on %s refuses the token of a client on P-256',
  async (crv) => {
    const algorithms = { ...DEFAULTS, encryptionCrv: crv }
    const service = await createService(await generateKeyPair('enc', algorithms))
    const req = { ...bindTo(service.url), mac: 'x'.repeat(43) }
    expect(await service.get(await seal(jws, service.jwk, req))).toBe(401)
    expect(remembered).toEqual([])
  },
)

describe('a service that has opened a token', () => {
  /** The proofs that the notes service can try on another recipient, whose key is `jwk`. */
  const attempts: [string, (jwk: JWK, req: object) => Promise<object>][] = [
    ['without a proof', (_, req) => Promise.resolve(req)],
    [
      'with the key that it shares with the client',
      async (_, req) => {
        const clientKey = client.publicJwk
        const privateKey = await importPrivate(keys.notes.privateKey.export({ format: 'jwk' }))
        const recipient = { ...clientKey, kid: keys.notes.kid }
        return {
          ...req,
          mac: await macOf({ privateKey, clientId: client.id, recipient, jws, req: { ...req } }),
        }
      },
    ],
    [
      'with its own key in place of the client',
      async (jwk, req) => {
        const privateKey = await importPrivate(keys.notes.privateKey.export({ format: 'jwk' }))
        const recipient = { kid: '', ...jwk }
        return {
          ...req,
          mac: await macOf({ privateKey, clientId: client.id, recipient, jws, req: { ...req } }),
        }
      },
    ],
    [
      'with the proof that it was sent',
      async (_, req) => {
        const { mac } = await prove(client, jws, keys.notes.publicJwk, req)
        return { ...req, mac }
      },
    ],
  ]

  test.each(attempts)('cannot use it at another service %s', async (_, forge) => {
    const photos = await createService(keys.photos)
    const req = await forge(photos.jwk, bindTo(photos.url))
    expect(await photos.get(await seal(jws, photos.jwk, req))).toBe(401)
    expect(remembered).toEqual([])
  })

  test.each(attempts)('cannot use it at the auth server %s', async (_, forge) => {
    const jwk = server.keystore.encryptionKey.publicJwk
    const req = await forge(jwk, bindTo(server.config.issuer, '/account'))
    const headers = { authorization: `Bearer ${await seal(jws, jwk, req)}` }
    expect((await client.send('GET', '/account', undefined, headers)).status).toBe(401)
    const end = await forge(jwk, { ...bindTo(server.config.issuer, '/revoke'), htm: 'POST' })
    await client.send('POST', '/revoke', { token: await seal(jws, jwk, end) })
    const { token } = await prove(client, jws, jwk, bindTo(server.config.issuer, '/account'))
    const owner = { authorization: `Bearer ${token}` }
    expect((await client.send('GET', '/account', undefined, owner)).status).toBe(200)
  })

  test('can use it if it is not key-bound', async () => {
    const plain = await TestClient.registered(server.url)
    const { accessJws } = await plain.signUp()
    const photos = await createService(keys.photos)
    const stolen = await seal(accessJws, photos.jwk, bindTo(photos.url))
    expect(await photos.get(stolen)).toEqual(expect.any(String))
  })
})

test('a service can insist on key-bound tokens', async () => {
  const strict = await createService(keys.notes, { keyBoundTokens: 'required' })
  const plain = await TestClient.registered(server.url)
  const { accessJws } = await plain.signUp()
  expect(await strict.get(await seal(accessJws, strict.jwk, bindTo(strict.url)))).toBe(401)
  expect(remembered).toEqual([])
  const { token } = await prove(client, jws, strict.jwk, bindTo(strict.url))
  expect(await strict.get(token)).toBe(account)
})
