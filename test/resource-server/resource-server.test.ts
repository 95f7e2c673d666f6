import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { createHash, createPublicKey } from 'node:crypto'
import { CompactEncrypt, CompactSign, decodeJwt, decodeProtectedHeader, importJWK } from 'jose'
import type { JWK } from 'jose'
import type { KeyPair } from '../../server/keystore/key-pair.ts'
import { createEphemeralKeystore } from '../../server/keystore/keystore.ts'
import type { ServiceAuthOptions } from '../../server/resource-server/index.ts'
import { GOOD_PASSWORD } from '../support/client.ts'
import { encryptJwe } from '../support/foreign-jose.ts'
import { rawRequest } from '../support/raw-request.ts'
import { REFUSED_PARAMETERS } from '../token/fixtures.ts'
import {
  createPerson,
  sendRaw,
  setUp,
  startService,
  tearDown,
  type Captured,
  type Person,
  type Scene,
} from './fixtures.ts'

const REALM = 'Bearer realm="jwe-auth-server"'
const NOT_VALID = 'The access token is not valid.'

let scene: Scene
let person: Person
beforeAll(async () => {
  scene = await setUp()
  person = await createPerson(scene)
})
afterAll(() => tearDown(scene))

const jwkOf = async (url: string): Promise<JWK> => {
  const { keys } = (await (await fetch(`${url}/.well-known/jwks.json`)).json()) as { keys: JWK[] }
  return keys.find(({ use }) => use === 'enc')!
}

/** A JWS sealed to a key, by default the service's, with any header. */
async function seal(jws: string, header: Record<string, unknown> = {}, jwk?: JWK) {
  const to = jwk ?? (await jwkOf(scene.service.url))
  return new CompactEncrypt(new TextEncoder().encode(jws))
    .setProtectedHeader({ alg: to.alg!, enc: 'A128GCM', kid: to.kid!, cty: 'JWT', ...header })
    .encrypt(await importJWK(to))
}

let requests = 0
const bindingOf = (changes: Record<string, unknown> = {}) => ({
  jti: `request-${++requests}`,
  iat: Math.floor(scene.clock() / 1000),
  htm: 'GET',
  htu: `${scene.service.url}/notes`,
  ...changes,
})
const sealBound = async (jws: string, header: Record<string, unknown> = {}, jwk?: JWK) =>
  seal(jws, { req: bindingOf(), ...header }, jwk)

const get = (token: string) =>
  sendRaw({ url: `${scene.service.url}/notes`, method: 'GET', token, body: '' })

const jwsOf = async () => (await person.client.accessToken()).jws

/** Signs the person's claims, with changes, as the auth server would. */
async function mint(
  changes: Record<string, unknown> = {},
  key: KeyPair = scene.server.keystore.signingKey,
  header: Record<string, unknown> = {},
) {
  const claims = { ...decodeJwt(await jwsOf()), ...changes }
  return new CompactSign(new TextEncoder().encode(JSON.stringify(claims)))
    .setProtectedHeader({ alg: key.alg, kid: key.kid, typ: 'at+jwt', ...header })
    .sign(key.privateKey)
}

/** Expects the one refusal, which is the same whatever was wrong. */
async function expectRefused(answer: Response, description = NOT_VALID) {
  expect(answer.status).toBe(401)
  expect(await answer.json()).toEqual({ error: 'invalid_token', error_description: description })
  expect(answer.headers.get('www-authenticate')).toBe(
    `${REALM}, error="invalid_token", error_description="${description}"`,
  )
  expect(answer.headers.get('cache-control')).toBe('no-store')
}

test('logs how many tokens are refused, by reason', async () => {
  await expectRefused(await get('nonsense'))
  const line = scene.service.logs.find((text) => text.includes('access tokens refused'))
  expect(JSON.parse(line!)).toMatchObject({ level: 'info', count: 1, reasons: { segments: 1 } })
})

test('claims that the service does not know reach its handlers', async () => {
  const jws = await mint({ plan: 'gold', groups: ['editors'] })
  const answer = await get(await sealBound(jws))
  expect(answer.status).toBe(200)
  expect(await answer.json()).toMatchObject({ claims: { plan: 'gold', groups: ['editors'] } })
})

test('publishes its encryption key as the auth server does, and nothing else', async () => {
  const answer = await fetch(`${scene.service.url}/.well-known/jwks.json`)
  expect(answer.headers.get('cache-control')).toBe('public, max-age=300')
  const body = (await answer.json()) as { keys: JWK[] }
  expect(body.keys).toHaveLength(1)
  expect(Object.keys(body.keys[0]!).sort()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y'])
  expect(body.keys[0]).toMatchObject({ use: 'enc', alg: 'ECDH-ES+A128KW' })
  // Not by fetch, which adds `Cache-Control: no-cache` to a request with this header.
  const headers = [['If-None-Match', answer.headers.get('etag')!]] as const
  const again = await rawRequest(scene.service.url, '/.well-known/jwks.json', { headers })
  expect(again.status).toBe(304)
  const head = await fetch(`${scene.service.url}/.well-known/jwks.json`, { method: 'HEAD' })
  expect(head.status).toBe(200)
  const post = await fetch(`${scene.service.url}/.well-known/jwks.json`, { method: 'POST' })
  expect(post.status).toBe(401)
})

test('accepts the request of a client, with the claims of its token', async () => {
  const answer = await person.call('/notes?page=2', { method: 'POST', body: '{"a":1}' })
  expect(answer.status).toBe(200)
  const { claims, body } = (await answer.json()) as Record<string, unknown>
  expect(claims).toEqual(person.client.session?.claims)
  expect(body).toBe('{"a":1}')
  const { token } = person.toService().at(-1)!
  expect(decodeProtectedHeader(token)).toMatchObject({
    cty: 'JWT',
    kid: (await jwkOf(scene.service.url)).kid,
    req: { htm: 'POST', htu: `${scene.service.url}/notes`, dig: expect.any(String) },
  })
})

test('accepts the tokens of a session in which the password was changed', async () => {
  const changed = await createPerson(scene)
  await changed.client.account.changePassword(GOOD_PASSWORD, 'another brick in the wall')
  const answer = await changed.call('/notes')
  expect(answer.status).toBe(200)
  expect(await answer.json()).toMatchObject({ claims: { gen: 1 } })
  expect(changed.toService()).toHaveLength(1)
})

test('accepts every enc that the auth server can be configured with, and no other', async () => {
  for (const enc of ['A128GCM', 'A256GCM', 'A128CBC-HS256', 'A256CBC-HS512']) {
    expect((await get(await sealBound(await jwsOf(), { enc }))).status).toBe(200)
  }
  await expectRefused(await get(await sealBound(await jwsOf(), { enc: 'A192GCM' })))
})

test('answers a request without a token with a challenge that names no error', async () => {
  const answer = await fetch(`${scene.service.url}/notes`)
  expect(answer.status).toBe(401)
  expect(answer.headers.get('www-authenticate')).toBe(REALM)
})

test('a token in the header and in the query is a bad request', async () => {
  const answer = await sendRaw({
    url: `${scene.service.url}/notes?access_token=x`,
    method: 'GET',
    body: '',
    token: await sealBound(await jwsOf()),
  })
  expect(answer.status).toBe(400)
})

describe('refuses in one wording:', () => {
  const foreign = createEphemeralKeystore({
    signingAlg: 'ES256',
    encryptionAlg: 'ECDH-ES+A128KW',
    encryptionEnc: 'A128GCM',
    encryptionCrv: 'P-256',
  })

  test.each<[string, () => Promise<string>]>([
    ['garbage', () => Promise.resolve('garbage')],
    ['a bare JWS', jwsOf],
    [
      'a token sealed to the auth server',
      async () => sealBound(await jwsOf(), {}, await jwkOf(scene.server.url)),
    ],
    [
      'a token under the kid of another key',
      async () => sealBound(await jwsOf(), { kid: scene.server.keystore.encryptionKey.kid }),
    ],
    ['the token as the client got it', async () => (await person.client.accessToken()).jwe],
    [
      'a refresh token',
      async () => sealBound(await mint({ scope: undefined }, undefined, { typ: 'rt+jwt' })),
    ],
    ['another typ', async () => sealBound(await mint({}, undefined, { typ: 'JWT' }))],
    ['a JWS with more in its header', async () => sealBound(await mint({}, undefined, { x: 1 }))],
    ['another issuer', async () => sealBound(await mint({ iss: 'https://evil.test' }))],
    ['another audience', async () => sealBound(await mint({ aud: scene.service.url }))],
    ['no expiry', async () => sealBound(await mint({ exp: undefined }))],
    ['issued in the future', async () => sealBound(await mint({ iat: scene.clock() / 1000 + 60 }))],
    ['signed by another server', async () => sealBound(await mint({}, (await foreign).signingKey))],
    [
      'signed by another server under our kid',
      async () =>
        sealBound(
          await mint({}, (await foreign).signingKey, { kid: scene.server.keystore.signingKey.kid }),
        ),
    ],
    [
      'signed under the kid of the encryption key',
      async () => {
        const { kid } = scene.server.keystore.encryptionKey
        return sealBound(await mint({}, undefined, { kid }))
      },
    ],
    ['not bound', async () => seal(await jwsOf())],
    ['an invalid binding', async () => seal(await jwsOf(), { req: 'x' })],
    [
      'bound to the auth server',
      async () => seal(await jwsOf(), { req: bindingOf({ htu: `${scene.server.url}/notes` }) }),
    ],
    [
      'bound long ago',
      async () => seal(await jwsOf(), { req: bindingOf({ iat: scene.clock() / 1000 - 61 }) }),
    ],
    ['another cty', async () => sealBound(await jwsOf(), { cty: 'json' })],
    ['over 8 KiB', async () => sealBound(await mint({ pad: 'x'.repeat(8192) }))],
  ])('%s', async (_, token) => {
    await expectRefused(await get(await token()))
  })

  test.each(REFUSED_PARAMETERS)('the header parameter %s: %j', async (name, value) => {
    const { kid, ...jwk } = await jwkOf(scene.service.url)
    const key = createPublicKey({ key: jwk as never, format: 'jwk' })
    const header = { kid, cty: 'JWT', req: bindingOf() }
    expect((await get(encryptJwe(await jwsOf(), key, header))).status).toBe(200)
    const token = encryptJwe(await jwsOf(), key, { ...header, req: bindingOf(), [name]: value })
    await expectRefused(await get(token))
  })

  test('a replayed request, which is audited', async () => {
    await person.call('/notes')
    const captured = person.toService().at(-1)!
    await expectRefused(await sendRaw(captured))
    expect(scene.service.logs.join('')).toContain('"audit":"request_replayed"')
  })

  test('a token whose binding was removed or changed on its way', async () => {
    const token = await sealBound(await jwsOf())
    const [head = '', ...rest] = token.split('.')
    const { req, ...header } = decodeProtectedHeader(token)
    for (const edited of [header, { ...header, req: { ...(req as object), jti: 'x' } }]) {
      const forged = Buffer.from(JSON.stringify(edited)).toString('base64url')
      await expectRefused(await get([forged, ...rest].join('.')))
    }
    expect((await get([head, ...rest].join('.'))).status).toBe(200)
  })

  test.each<[string, (captured: Captured) => Captured]>([
    ['another path', (captured) => ({ ...captured, url: `${scene.service.url}/other` })],
    ['another method', (captured) => ({ ...captured, method: 'PUT' })],
    ['another body', (captured) => ({ ...captured, body: '{"b":1}' })],
    ['no body', (captured) => ({ ...captured, body: '' })],
    [
      'the auth server as its target',
      (captured) => ({ ...captured, url: `${scene.server.url}/account/logout` }),
    ],
  ])('a captured request that is sent with %s', async (_, change) => {
    const { toService } = person
    const req = bindingOf({ htm: 'POST', dig: undefined })
    // A request that was intercepted and never arrived.
    const body = '{"a":1}'
    const dig = createHash('sha256').update(body).digest('base64url')
    const token = await seal(await jwsOf(), { req: { ...req, dig } })
    const captured = { url: `${scene.service.url}/notes`, method: 'POST', token, body }
    await expectRefused(await sendRaw(change(captured)))
    // The refusal did not use it up.
    expect((await sendRaw(captured)).status).toBe(200)
    expect(toService()).not.toHaveLength(0)
  })
})

test('tells only an expired token apart', async () => {
  const { clock } = scene
  const token = await mint({
    iat: Math.floor(clock() / 1000) - 900,
    exp: Math.floor(clock() / 1000),
  })
  await expectRefused(await get(await sealBound(token)), 'The access token has expired.')
})

test('a client renews an expired token by itself', async () => {
  const own = await setUp()
  try {
    const somebody = await createPerson(own)
    expect((await somebody.call()).status).toBe(200)
    own.clock.advance(1000)
    expect((await somebody.call()).status).toBe(200)
  } finally {
    await tearDown(own)
  }
})

test('a route can require a scope', async () => {
  const answer = await person.call('/admin')
  expect(answer.status).toBe(403)
  expect(answer.headers.get('www-authenticate')).toContain('error="insufficient_scope"')
  const admin = await mint({ scope: 'user admin' })
  const req = bindingOf({ htu: `${scene.service.url}/admin` })
  const url = `${scene.service.url}/admin`
  const token = await seal(admin, { req })
  expect((await sendRaw({ url, method: 'GET', token, body: '' })).status).toBe(200)
})

test('with optional binding, accepts a token without one, and checks one that is there', async () => {
  const { clock, line } = scene
  const lax = await startService({ clock, fetch: line.fetch, requestBinding: 'optional' })
  try {
    const jwk = await jwkOf(lax.url)
    const send = (token: string) =>
      sendRaw({ url: `${lax.url}/notes`, method: 'GET', token, body: '' })
    expect((await send(await seal(await jwsOf(), {}, jwk))).status).toBe(200)
    // Bound to the other service.
    await expectRefused(await send(await sealBound(await jwsOf(), {}, jwk)))
  } finally {
    await lax.stop()
  }
})

test('decrypts a JWE without a kid with the key of the service', async () => {
  expect((await get(await sealBound(await jwsOf(), { kid: undefined }))).status).toBe(200)
})

describe('isAlive', () => {
  test.each<[string, NonNullable<ServiceAuthOptions['isAlive']>, number]>([
    ['false refuses the token', () => false, 401],
    ['a promise of false refuses the token', () => Promise.resolve(false), 401],
    ['a promise of true accepts the token', () => Promise.resolve(true), 200],
    ['an error is a 500', () => Promise.reject(new Error('down')), 500],
  ])('%s', async (_, isAlive, status) => {
    const { clock, line, server } = scene
    const service = await startService({ clock, fetch: line.fetch, isAlive })
    try {
      const somebody = await createPerson({ clock, line, server, service })
      const answer = await somebody.call()
      expect(answer.status).toBe(status)
      if (status === 401) await expectRefused(answer)
    } finally {
      await service.stop()
    }
  })

  test('without it, the token of an ended session is accepted until it expires', async () => {
    const somebody = await createPerson(scene)
    const { jws } = await somebody.client.accessToken()
    await somebody.client.signOut()
    expect((await get(await sealBound(jws))).status).toBe(200)
  })
})
