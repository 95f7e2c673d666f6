import { deflateRawSync, gzipSync } from 'node:zlib'
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import {
  CompactEncrypt,
  CompactSign,
  exportJWK,
  generateKeyPair,
  importJWK,
  UnsecuredJWT,
} from 'jose'
import { sealedBodies } from '../../../server/features/sealed-bodies/index.ts'
import { GOOD_PASSWORD, someEmail, type TestSession } from '../../support/client.ts'
import { encryptJwe } from '../../support/foreign-jose.ts'
import { logLines } from '../../support/log-lines.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'
import { SealingClient, sha256, type SealedRequest } from './sealing-client.ts'

let server: TestServer
let client: SealingClient
beforeAll(async () => {
  const off = { login: 'off', signUp: 'off', clients: 'off', refresh: 'off' } as const
  server = await startTestServer({ features: [sealedBodies], config: { rateLimits: off } })
  client = await SealingClient.registered(server)
})
afterAll(() => server.stop())

/** The one answer to every refused sealed body. */
const REFUSED = {
  error: 'invalid_request',
  error_description: 'The sealed body is not valid for this request.',
}
const accept = 'application/json'

let signUp: SealedRequest
beforeEach(() => {
  const body = { email: someEmail(), password: GOOD_PASSWORD, client_id: client.id }
  signUp = { method: 'POST', path: '/account', body, accept }
})

async function expectRefused(request: SealedRequest): Promise<void> {
  const answer = await client.send(request)
  expect([answer.status, answer.body]).toEqual([400, REFUSED])
}
const reqOf = (changes: object = {}) => ({ ...client.reqFor(signUp), ...changes })
const sealed = (text: string | Uint8Array, header: Record<string, unknown> = {}) =>
  client.sealText(text, { req: reqOf(), ...header })

describe('a sealed body is refused with', () => {
  test.each<[string, () => string | Promise<string>]>([
    ['JSON', () => JSON.stringify(signUp.body)],
    ['a JWE that is not one', () => 'a.b.c.d.e'],
    ['a line break at the end', async () => `${await client.sealBody(signUp)}\n`],
    ['padding', async () => `${await client.sealBody(signUp)}=`],
    ['another spelling', async () => respell(await client.sealBody(signUp))],
    ['a changed byte', async () => flip(await client.sealBody(signUp))],
    ['a shortened tag', async () => (await client.sealBody(signUp)).slice(0, -6)],
    ['an unknown kid', () => sealed(JSON.stringify(signUp.body), { kid: sha256('nobody') })],
    ['no kid', () => sealed(JSON.stringify(signUp.body), { kid: undefined })],
    ['another enc', () => sealed(JSON.stringify(signUp.body), { enc: 'A256GCM' })],
    ['another alg', () => sealed(JSON.stringify(signUp.body), { alg: 'ECDH-ES+A256KW' })],
    ['no cty', () => sealed(JSON.stringify(signUp.body), { cty: undefined })],
    ['cty JWT', () => sealed(JSON.stringify(signUp.body), { cty: 'JWT' })],
    ['a media type as cty', () => sealed(JSON.stringify(signUp.body), { cty: 'application/json' })],
    ['compression', () => compressed()],
    ["another recipient's key", () => sealedToClient()],
  ])('%s', async (_, bytes) => {
    await expectRefused({ ...signUp, bytes: await bytes() })
  })

  test.each<[string, () => string | Uint8Array | Promise<string | Uint8Array>]>([
    [
      'a JWS of the server as its content',
      async () => (await client.signUp(someEmail(), GOOD_PASSWORD)).accessJws,
    ],
    ['an HS256 JWS as its content', () => signedWithHs256()],
    ['an unsecured JWT as its content', () => new UnsecuredJWT(signUp.body as never).encode()],
    ['another sealed body as its content', () => client.sealBody(signUp)],
    ['a list as its content', () => JSON.stringify([signUp.body])],
    ['null as its content', () => 'null'],
    ['a string as its content', () => '"text"'],
    ['nothing as its content', () => ''],
    ['incomplete JSON as its content', () => JSON.stringify(signUp.body).slice(0, -2)],
    ['two values as its content', () => `${JSON.stringify(signUp.body)}{}`],
    ['a byte order mark', () => `\ufeff${JSON.stringify(signUp.body)}`],
    ['invalid UTF-8', () => Buffer.from([0x7b, 0xff, 0x7d])],
    [
      'a duplicate member',
      () => JSON.stringify(signUp.body).replace('{', '{"email":"a@mail.test",'),
    ],
  ])('%s', async (_, text) => {
    await expectRefused({ ...signUp, bytes: await sealed(await text()) })
  })

  test('an alg that is not allowed', async () => {
    const { encryptionKey } = server.keystore
    for (const alg of ['HS256', 'dir', 'A128KW', 'PBES2-HS256+A128KW', 'RSA1_5', 'none']) {
      const header = { alg, kid: encryptionKey.kid, cty: 'json', req: reqOf() }
      const bytes = encryptJwe(JSON.stringify(signUp.body), encryptionKey.publicKey, header)
      await expectRefused({ ...signUp, bytes })
    }
  })

  test.each(['crit', 'b64', 'jku', 'jwk', 'x5u', 'x5c', 'p2c', 'zip'])('%s', async (name) => {
    const { encryptionKey } = server.keystore
    const header = { kid: encryptionKey.kid, cty: 'json', req: reqOf(), [name]: 'DEF' }
    const bytes = encryptJwe(JSON.stringify(signUp.body), encryptionKey.publicKey, header)
    await expectRefused({ ...signUp, bytes })
  })

  test('the reason in the log only', async () => {
    const headers = [['X-Request-Id', 'why']] as const
    await expectRefused({ ...signUp, bytes: await sealed('{}', { cty: 'JWT' }), headers })
    expect(logLines(server, 'why')).toContainEqual(
      expect.objectContaining({ msg: 'sealed body refused', reason: 'cty' }),
    )
  })
})

describe('a sealed body for another request is refused:', () => {
  test.each<[string, Record<string, unknown>]>([
    ['another method', { htm: 'PUT' }],
    ['another route', { htu: 'http://localhost:3000/account/login' }],
    ['another server', { htu: 'http://localhost:3001/account' }],
    ['a digest', { dig: sha256('') }],
    ['a proof', { mac: sha256('') }],
    ["a token's hash", { ath: sha256('') }],
    ['an empty jti', { jti: '' }],
    ['a long jti', { jti: 'x'.repeat(129) }],
    ['a jti of another type', { jti: 7 }],
    ['an invalid iat', { iat: 'now' }],
  ])('%s', async (_, req) => {
    await expectRefused({ ...signUp, req })
  })

  test.each([-61, 61])('an iat %i s off', async (seconds) => {
    const iat = Math.floor(server.clock() / 1000) + seconds
    await expectRefused({ ...signUp, req: { iat } })
  })
  test.each([-60, 60])('but not an iat %i s off', async (seconds) => {
    const iat = Math.floor(server.clock() / 1000) + seconds
    expect((await client.send({ ...signUp, req: { iat } })).status).toBe(201)
  })

  test.each([[undefined], [null], ['req'], [[]], [{}]])('the req %j', async (req) => {
    await expectRefused({ ...signUp, header: { req } })
  })

  test('moved to another route, with the same answer everywhere', async () => {
    const bytes = await client.sealBody(signUp)
    for (const [method, path] of [
      ['POST', '/account/login'],
      ['POST', '/token'],
      ['POST', '/revoke'],
      ['POST', '/clients'],
    ] as const) {
      await expectRefused({ method, path, bytes, accept })
    }
    expect((await client.send({ ...signUp, bytes })).status).toBe(201)
  })

  test('sent later', async () => {
    const bytes = await client.sealBody(signUp)
    server.clock.advance(61)
    await expectRefused({ ...signUp, bytes })
  })
})

describe('with an access token', () => {
  let ada: TestSession
  let eve: TestSession
  let rename: SealedRequest
  beforeEach(async () => {
    ada = await client.signUp(someEmail(), GOOD_PASSWORD)
    eve = await client.signUp(someEmail(), GOOD_PASSWORD)
    const body = { name: 'Ada' }
    rename = { method: 'PATCH', path: '/account', session: ada, body, accept }
  })
  const nameOf = async (session: TestSession) =>
    (await client.client.sendAs(session, 'GET', '/account')).body.account.name as unknown

  test('a sealed body is bound to its token', async () => {
    const bytes = await client.sealBody(rename)
    // Eve binds her own token to Ada's body.
    await expectRefused({ ...rename, session: eve, bytes })
    expect(await nameOf(eve)).toBeNull()
    expect((await client.send({ ...rename, bytes })).status).toBe(200)
  })

  test('a sealed body is not bound to another token of the same session', async () => {
    const refresh_token = await client.client.seal(ada.refreshJws)
    const renewed = await client.client.send('POST', '/token', {
      grant_type: 'refresh_token',
      refresh_token,
    })
    const session = { accessJws: await client.client.open(renewed.body.access_token) }
    await expectRefused({ ...rename, session, bytes: await client.sealBody(rename) })
  })

  test.each([[undefined], [''], ['x'], [null], [7]])('the ath %j is refused', async (ath) => {
    await expectRefused({ ...rename, req: { ath } })
  })

  test('a body swapped under a bound token is a 401', async () => {
    const bytes = await client.sealBody(rename)
    const other = await client.sealBody({ ...rename, body: { name: 'Eve' } })
    const dig = sha256(bytes)
    const answer = await client.send({ ...rename, bytes: other, binding: { dig } })
    expect([answer.status, answer.body.error]).toEqual([401, 'invalid_token'])
    const expected = await client.client.send('GET', '/account', undefined, {
      authorization: 'Bearer x',
    })
    expect(answer.text).toBe(expected.text)
    expect(answer.headers.get('www-authenticate')).toBe(expected.headers.get('www-authenticate'))
  })

  test('the token must be bound to the body, whatever REQUEST_BINDING says', async () => {
    const bytes = await client.sealBody(rename)
    const answer = await client.send({ ...rename, bytes, binding: null })
    expect([answer.status, answer.body.error_description]).toEqual([
      401,
      'The access token is not valid.',
    ])
    // Its digest is needed too.
    const undigested = await client.send({ ...rename, bytes, binding: { dig: undefined } })
    expect(undigested.status).toBe(401)
    expect(await nameOf(ada)).toBeNull()
  })

  test('a missing token is a 401, and the body is not opened', async () => {
    const bytes = await client.sealBody(rename)
    for (const sent of [bytes, 'a.b.c.d.e']) {
      const answer = await client.send({ method: 'PATCH', path: '/account', bytes: sent, accept })
      expect([answer.status, answer.body.error]).toEqual([401, 'invalid_token'])
    }
  })

  test('a second token in the body is refused', async () => {
    await expectRefused({ ...rename, body: { name: 'Ada', access_token: 'x' } })
  })

  test('a replay is refused', async () => {
    const bytes = await client.sealBody(rename)
    expect((await client.send({ ...rename, bytes })).status).toBe(200)
    await expectRefused({ ...rename, bytes })
  })
})

test.each(['GET', 'HEAD'])('a %s with a sealed body is refused with 415', async (method) => {
  const path = '/healthz'
  const answer = await client.send({ method, path, body: {}, accept })
  expect(answer.status).toBe(415)
})

test('a sealed body with a Content-Encoding is refused', async () => {
  const headers = [['Content-Encoding', 'gzip']] as const
  const bytes = gzipSync(await client.sealBody(signUp)).toString('latin1')
  const answer = await client.send({ ...signUp, bytes, headers })
  expect([answer.status, answer.body.error]).toEqual([415, 'unsupported_media_type'])
})

test('a sealed body is refused as an access token', async () => {
  const token = await client.sealText('{}', {
    req: client.reqFor({ method: 'GET', path: '/account' }),
  })
  const answer = await client.client.send('GET', '/account', undefined, {
    authorization: `Bearer ${token}`,
  })
  expect(answer.status).toBe(401)
})

/** Sets stray bits, which lenient decoders ignore. */
function respell(jwe: string): string {
  const last = jwe.at(-1)!
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  return jwe.slice(0, -1) + alphabet[alphabet.indexOf(last) ^ 1]!
}

function flip(jwe: string): string {
  const parts = jwe.split('.')
  const ciphertext = Buffer.from(parts[3]!, 'base64url')
  ciphertext[0]! ^= 1
  parts[3] = ciphertext.toString('base64url')
  return parts.join('.')
}

function compressed(): string {
  const { encryptionKey } = server.keystore
  const header = { kid: encryptionKey.kid, cty: 'json', req: reqOf(), zip: 'DEF' }
  return encryptJwe(deflateRawSync(JSON.stringify(signUp.body)), encryptionKey.publicKey, header)
}

async function sealedToClient(): Promise<string> {
  const { publicKey } = await generateKeyPair('ECDH-ES+A128KW', { crv: 'P-256' })
  const kid = server.keystore.encryptionKey.kid
  const key = await importJWK(await exportJWK(publicKey), 'ECDH-ES+A128KW')
  return new CompactEncrypt(Buffer.from(JSON.stringify(signUp.body)))
    .setProtectedHeader({
      alg: 'ECDH-ES+A128KW',
      enc: 'A128GCM',
      kid,
      cty: 'json',
      req: reqOf(),
    })
    .encrypt(key)
}

/** Signed with the public key as the secret, which a confused verifier would accept. */
function signedWithHs256(): Promise<string> {
  const pem = server.keystore.signingKey.publicKey.export({ type: 'spki', format: 'pem' })
  return new CompactSign(
    Buffer.from(JSON.stringify({ ...(signUp.body as object), jti: randomUUID() })),
  )
    .setProtectedHeader({ alg: 'HS256', typ: 'at+jwt' })
    .sign(Buffer.from(pem))
}
