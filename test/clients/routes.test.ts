import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { calculateJwkThumbprint, compactDecrypt, decodeProtectedHeader, type JWK } from 'jose'
import type { Algorithms } from '../../protocol/algorithms.ts'
import { TestClient, type Answer } from '../support/client.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

const jwkOf = (key: KeyObject): JWK => ({ ...(key.export({ format: 'jwk' }) as JWK), use: 'enc' })
const ec = (namedCurve: string) => generateKeyPairSync('ec', { namedCurve })
const rsa = (modulusLength: number, publicExponent = 65_537) =>
  generateKeyPairSync('rsa', { modulusLength, publicExponent })

const register = (server: TestServer, body: unknown): Promise<Answer> =>
  fetch(`${server.url}/clients`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  }).then(async (response) => {
    const text = await response.text()
    return { status: response.status, headers: response.headers, body: JSON.parse(text), text }
  })

const countClients = async ({ database }: TestServer) =>
  (await database.selectFrom('clients').selectAll().execute()).length

async function expectRefused(server: TestServer, body: unknown) {
  const before = await countClients(server)
  const answer = await register(server, body)
  expect(answer.status).toBe(400)
  expect(answer.body).toEqual({
    error: 'invalid_client_metadata',
    error_description: expect.stringMatching(/^\S.*\.$/),
  })
  expect(await countClients(server)).toBe(before)
}

/** The other spelling of 32 bytes: the last character has two bits that decoders overlook. */
const strayBits = (text = '') => {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  return text.slice(0, -1) + alphabet[alphabet.indexOf(text.at(-1)!) + 1]!
}

describe('with the default configuration', () => {
  let server: TestServer
  const { publicKey, privateKey } = ec('P-256')
  const good = jwkOf(publicKey)

  beforeAll(async () => {
    server = await startTestServer()
  })
  afterAll(() => server.stop())

  test('registers a key once', async () => {
    const id = await calculateJwkThumbprint(good)
    const first = await register(server, { client_name: 'A phone', jwks: { keys: [good] } })
    const client = {
      client_id: id,
      client_id_issued_at: Math.floor(server.clock() / 1000),
      client_name: 'A phone',
      jwks: { keys: [{ ...good, alg: 'ECDH-ES+A128KW', kid: id }] },
      key_bound_tokens: false,
    }
    expect([first.status, first.body]).toEqual([201, client])
    expect(first.headers.get('cache-control')).toBe('no-store')

    server.clock.advance(60)
    const again = await register(server, { client_name: 'Another', jwks: { keys: [good] } })
    expect([again.status, again.body]).toEqual([200, client])
    expect(await countClients(server)).toBe(1)
  })

  test('of simultaneous registrations of one key, exactly one is new', async () => {
    const body = { jwks: { keys: [jwkOf(ec('P-256').publicKey)] } }
    const before = await countClients(server)
    const answers = await Promise.all(Array.from({ length: 5 }, () => register(server, body)))
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 200, 200, 200, 201])
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1)
    expect(await countClients(server)).toBe(before + 1)
  })

  test.each<[string, (jwk: JWK) => unknown]>([
    ['the right alg', (jwk) => ({ ...jwk, alg: 'ECDH-ES+A128KW' })],
    ['a kid of its own choice', (jwk) => ({ ...jwk, kid: 'mine' })],
    ['unknown members', (jwk) => ({ ...jwk, x5t: 'x', ext: true, key_ops: [] })],
  ])('accepts a key with %s, and names it by its thumbprint', async (_, change) => {
    const jwk = jwkOf(ec('P-256').publicKey)
    const kid = await calculateJwkThumbprint(jwk)
    const answer = await register(server, { jwks: { keys: [change(jwk)], more: 1 }, scope: 'x' })
    expect(answer.status).toBe(201)
    expect(answer.body).toEqual({
      client_id: kid,
      client_id_issued_at: expect.any(Number),
      jwks: { keys: [{ ...jwk, alg: 'ECDH-ES+A128KW', kid }] },
      key_bound_tokens: false,
    })
  })

  test.each(['x', 'x'.repeat(100), '日本語 ✓'])(
    'the client name "%s" is accepted',
    async (name) => {
      const keys = [jwkOf(ec('P-256').publicKey)]
      const answer = await register(server, { client_name: name, jwks: { keys } })
      expect([answer.status, answer.body.client_name]).toEqual([201, name])
    },
  )

  test.each([
    '\u200b',
    'a\u202eb',
    '',
    'x'.repeat(101),
    'a\nb',
    '\u0000',
    '\ud800',
    1,
    null,
    ['x'],
    { a: 1 },
  ])('the client name %j is refused', async (client_name) => {
    await expectRefused(server, { client_name, jwks: { keys: [good] } })
  })

  test.each([
    ['no jwks', {}],
    ['jwks_uri instead', { jwks_uri: 'https://app.test/jwks' }],
    ['null', { jwks: null }],
    ['text', { jwks: 'x' }],
    ['a list', { jwks: [good] }],
    ['a key', { jwks: good }],
    ['keys that are not a list', { jwks: { keys: good } }],
    ['no key', { jwks: { keys: [] } }],
    ['two keys', { jwks: { keys: [good, jwkOf(ec('P-256').publicKey)] } }],
    ['the same key twice', { jwks: { keys: [good, good] } }],
    ['an encryption and a signing key', { jwks: { keys: [good, { ...good, use: 'sig' }] } }],
  ])('jwks is refused: %s', async (_, body) => {
    await expectRefused(server, body)
  })

  test.each<[string, unknown]>([
    ['null', null],
    ['a string', 'x'],
    ['a PEM', publicKey.export({ type: 'spki', format: 'pem' })],
    ['a number', 1],
    ['a list', []],
    ['an empty object', {}],
    ['without a kty', { ...good, kty: undefined }],
    ['with a kty that is not a string', { ...good, kty: 1 }],
    ['with an unknown kty', { ...good, kty: 'XX' }],
    ['without a use', { ...good, use: undefined }],
    ['with the use sig', { ...good, use: 'sig' }],
    ['with both uses', { ...good, use: ['enc', 'sig'] }],
    ['with the use ENC', { ...good, use: 'ENC' }],
    ['with another alg', { ...good, alg: 'ECDH-ES+A256KW' }],
    ['with an alg that signs', { ...good, alg: 'ES256' }],
    ['with an empty alg', { ...good, alg: '' }],
    ['with an alg that is not a string', { ...good, alg: ['ECDH-ES+A128KW'] }],
    ['the private key', jwkOf(privateKey)],
    ...['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'].flatMap((member): [string, unknown][] => [
      [`with the private member ${member}`, { ...good, [member]: 'AQAB' }],
      [`with the private member ${member}, null`, { ...good, [member]: null }],
    ]),
    ['a symmetric key', { kty: 'oct', k: 'AAAAAAAAAAAAAAAAAAAAAA', use: 'enc' }],
    ['of P-384', jwkOf(ec('P-384').publicKey)],
    ['of P-521', jwkOf(ec('P-521').publicKey)],
    ['of secp256k1', jwkOf(ec('secp256k1').publicKey)],
    ['of X25519', jwkOf(generateKeyPairSync('x25519').publicKey)],
    ['of Ed25519', jwkOf(generateKeyPairSync('ed25519').publicKey)],
    ['of RSA', jwkOf(rsa(2048).publicKey)],
    ['of P-384 that says P-256', { ...jwkOf(ec('P-384').publicKey), crv: 'P-256' }],
    ['without a crv', { ...good, crv: undefined }],
    ['without an x', { ...good, x: undefined }],
    ['without a y', { ...good, y: undefined }],
    ['with an empty x', { ...good, x: '' }],
    ['with an x that is not a string', { ...good, x: 1 }],
    ['off the curve', { ...good, y: good.x }],
    ['at the origin', { ...good, x: 'A'.repeat(43), y: 'A'.repeat(43) }],
    ['with padding in its x', { ...good, x: `${good.x!}=` }],
    ['with stray bits in its x', { ...good, x: strayBits(good.x) }],
    ['with stray bits in its y', { ...good, y: strayBits(good.y) }],
    ['with a space in its x', { ...good, x: ` ${good.x!}` }],
    ['with a line break in its y', { ...good, y: `${good.y!}\n` }],
    [
      'with zeros before its x',
      {
        ...good,
        x: Buffer.concat([Buffer.alloc(1), Buffer.from(good.x!, 'base64url')]).toString(
          'base64url',
        ),
      },
    ],
  ])('a key is refused: %s', async (_, key) => {
    await expectRefused(server, { jwks: { keys: [key] } })
  })

  test('the server’s own keys are refused under any name, and nothing is stored', async () => {
    const published = await fetch(`${server.url}/.well-known/jwks.json`)
    const { keys } = (await published.json()) as { keys: JWK[] }
    expect(keys.map(({ use }) => use).sort()).toEqual(['enc', 'sig'])
    for (const { kty, crv, x, y } of keys) {
      const own = { kty, crv, x, y, use: 'enc' }
      await expectRefused(server, { jwks: { keys: [own] } })
      await expectRefused(server, { jwks: { keys: [{ ...own, kid: 'mine' }] } })
      await expectRefused(server, { client_name: 'A phone', jwks: { keys: [own] } })
      const { body } = await register(server, { jwks: { keys: [own] } })
      expect(body.error_description).toMatch(/server's own/)
    }
  })

  test('a refusal quotes nothing of the key', async () => {
    const { text } = await register(server, { jwks: { keys: [jwkOf(privateKey)] } })
    for (const secret of [jwkOf(privateKey).d!, good.x!, good.y!]) {
      expect(text).not.toContain(secret)
    }
  })

  describe('the configuration', () => {
    test('is a JWE that only this client can open', async () => {
      const client = await TestClient.registered(server.url)
      const answer = await client.send('GET', `/clients/${client.id}/configuration`)
      expect(answer.status).toBe(200)
      expect(answer.headers.get('content-type')).toBe('application/jose')
      expect(decodeProtectedHeader(answer.text)).toMatchObject({
        alg: 'ECDH-ES+A128KW',
        enc: 'A128GCM',
        kid: client.id,
        cty: 'json',
      })
      expect(JSON.parse(await client.open(answer.text))).toEqual({
        iss: server.config.issuer,
        aud: client.id,
        access_token_signing_alg: 'ES256',
        access_token_encryption_alg: 'ECDH-ES+A128KW',
        access_token_encryption_enc: 'A128GCM',
        encryption_key_kty: 'EC',
        encryption_key_crv: 'P-256',
        access_token_ttl: 900,
        refresh_token_ttl: 30 * 86_400,
        request_binding: 'optional',
      })
      const stranger = await TestClient.create(server.url)
      await expect(stranger.open(answer.text)).rejects.toThrow()
    })

    test.each(['nobody', '%00', '%E0%A4%A', '%F0%9F%98%80', 'x'.repeat(5000)])(
      'of the client %s is not found',
      async (id) => {
        const client = await TestClient.create(server.url)
        const answer = await client.send('GET', `/clients/${id}/configuration`)
        expect([answer.status, answer.body.error]).toEqual([404, 'not_found'])
      },
    )
  })
})

describe('with X25519', () => {
  const algorithms: Algorithms = {
    signingAlg: 'EdDSA',
    encryptionAlg: 'ECDH-ES',
    encryptionEnc: 'A256GCM',
    encryptionCrv: 'X25519',
  }
  let server: TestServer
  const { publicKey, privateKey } = generateKeyPairSync('x25519')
  const good = jwkOf(publicKey)

  beforeAll(async () => {
    server = await startTestServer({ config: { algorithms } })
  })
  afterAll(() => server.stop())

  test('registers a key, and its client can decrypt its configuration', async () => {
    const { status, body } = await register(server, { jwks: { keys: [good] } })
    expect([status, body.jwks.keys[0].alg]).toEqual([201, 'ECDH-ES'])
    const answer = await fetch(`${server.url}/clients/${body.client_id}/configuration`)
    const { plaintext } = await compactDecrypt(await answer.text(), privateKey)
    expect(JSON.parse(new TextDecoder().decode(plaintext))).toMatchObject({
      aud: body.client_id,
      encryption_key_kty: 'OKP',
      encryption_key_crv: 'X25519',
    })
  })

  // The points that Curve25519 multiplies to zero, whatever the private key.
  test.each([
    ['0', '00'.repeat(32)],
    ['1', `01${'00'.repeat(31)}`],
    ['of order 8', 'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800'],
    ['of order 8, the other', '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157'],
    ['p - 1', `ec${'ff'.repeat(30)}7f`],
    ['p', `ed${'ff'.repeat(30)}7f`],
    ['p + 1', `ee${'ff'.repeat(30)}7f`],
  ])('the point %s is refused', async (_, hex) => {
    const x = Buffer.from(hex, 'hex').toString('base64url')
    await expectRefused(server, { jwks: { keys: [{ ...good, x }] } })
  })

  test.each<[string, unknown]>([
    ['of P-256', jwkOf(ec('P-256').publicKey)],
    ['of Ed25519', jwkOf(generateKeyPairSync('ed25519').publicKey)],
    ['of 31 bytes', { ...good, x: Buffer.alloc(31, 9).toString('base64url') }],
    ['the private key', jwkOf(privateKey)],
    ['with another alg', { ...good, alg: 'ECDH-ES+A128KW' }],
    ['with stray bits in its x', { ...good, x: strayBits(good.x) }],
  ])('a key is refused: %s', async (_, key) => {
    await expectRefused(server, { jwks: { keys: [key] } })
  })
})

describe('with RSA-OAEP-256', () => {
  const algorithms: Algorithms = {
    signingAlg: 'ES256',
    encryptionAlg: 'RSA-OAEP-256',
    encryptionEnc: 'A128GCM',
  }
  let server: TestServer
  const { publicKey, privateKey } = rsa(2048)
  const good = jwkOf(publicKey)

  beforeAll(async () => {
    server = await startTestServer({ config: { algorithms } })
  })
  afterAll(() => server.stop())

  test('registers a key, and its client can decrypt its configuration', async () => {
    const { status, body } = await register(server, { jwks: { keys: [good] } })
    expect([status, body.jwks.keys[0]]).toEqual([
      201,
      { ...good, alg: 'RSA-OAEP-256', kid: await calculateJwkThumbprint(good) },
    ])
    const answer = await fetch(`${server.url}/clients/${body.client_id}/configuration`)
    const { plaintext } = await compactDecrypt(await answer.text(), privateKey)
    const configuration = JSON.parse(new TextDecoder().decode(plaintext))
    expect(configuration).toMatchObject({ aud: body.client_id, encryption_key_kty: 'RSA' })
    expect(configuration).not.toHaveProperty('encryption_key_crv')
  })

  test.each<[string, unknown]>([
    ['with the exponent 1', { ...good, e: 'AQ' }],
    ['with the exponent 3', { ...good, e: 'Aw' }],
    ['with the exponent 0', { ...good, e: 'AA' }],
    ['of 1024 bits', jwkOf(rsa(1024).publicKey)],
    ['with no modulus', { ...good, n: '' }],
    ['with a zero before its modulus', { ...good, n: `AA${good.n!}` }],
    ['with a zero before its exponent', { ...good, e: 'AAEAAQ' }],
    ['the private key', jwkOf(privateKey)],
    ['of P-256', jwkOf(ec('P-256').publicKey)],
    ['with the alg RSA-OAEP', { ...good, alg: 'RSA-OAEP' }],
    ['with the alg RSA1_5', { ...good, alg: 'RSA1_5' }],
    ['with the use sig', { ...good, use: 'sig' }],
  ])('a key is refused: %s', async (_, key) => {
    await expectRefused(server, { jwks: { keys: [key] } })
  })
})
