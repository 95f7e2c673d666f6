import { beforeEach, describe, expect, test } from '@jest/globals'
import {
  base64url,
  edit,
  forge,
  forgeMac,
  MANGLINGS,
  REFUSED_PARAMETERS,
  setUp,
  SPELLINGS,
  withPart,
  withStrayBit,
  type Fixture,
} from './fixtures.ts'

let server: Fixture
beforeEach(async () => {
  server = await setUp()
})

describe('a change after signing is refused:', () => {
  test.each<[string, 0 | 1, Record<string, unknown>, string]>([
    ['typ', 0, { typ: 'rt+jwt' }, 'typ'],
    ['kid', 0, { kid: 'another' }, 'jws_kid'],
    ['alg', 0, { alg: 'ES384' }, 'jws_alg'],
    ['exp', 1, { exp: 4_000_000_000 }, 'signature'],
    ['iat', 1, { iat: 1 }, 'signature'],
    ['iss', 1, { iss: 'https://evil.test' }, 'signature'],
    ['aud', 1, { aud: 'client-2' }, 'signature'],
    ['sub', 1, { sub: 'account-2' }, 'signature'],
    ['jti', 1, { jti: 'token-2' }, 'signature'],
    ['scope', 1, { scope: 'admin' }, 'signature'],
  ])('%s', async (_name, index, change, reason) => {
    const jws = edit(await server.accessJws(), index, change)
    expect(await server.refused(await server.seal(jws))).toEqual({ code: 'token_invalid', reason })
  })

  test('the order of the header members', async () => {
    const { typ, alg, kid } = server.header
    const header = base64url(JSON.stringify({ typ, kid, alg }))
    const jws = withPart(await server.accessJws(), 0, () => header)
    expect((await server.refused(await server.seal(jws))).code).toBe('token_invalid')
  })
})

describe('a signature', () => {
  test("by another key under the server's kid is refused", async () => {
    const { header, claims, seal } = server
    const { keystore } = await setUp()
    const jws = forge(header, claims, keystore.signingKey.privateKey)
    expect((await server.refused(await seal(jws))).reason).toBe('signature')
  })

  test.each<[string, (header: Fixture['header']) => object, string]>([
    ['alg none', ({ kid, typ }) => ({ alg: 'none', kid, typ }), 'jws_alg'],
    ['alg none in other letters', ({ kid, typ }) => ({ alg: 'nOnE', kid, typ }), 'jws_alg'],
    ['alg none, no kid', ({ typ }) => ({ alg: 'none', typ }), 'jws_header'],
    ['its right alg', (header) => header, 'signature'],
  ])('that is missing is refused: %s', async (_name, header, reason) => {
    const jws = `${base64url(JSON.stringify(header(server.header)))}.${base64url(JSON.stringify(server.claims))}.`
    expect((await server.refused(await server.seal(jws))).reason).toBe(reason)
  })

  test.each(['pem', 'der', 'x'])(
    'by HS256 with the public key (%s) as the secret is refused',
    async (form) => {
      const { publicKey } = server.keystore.signingKey
      const secret =
        form === 'x'
          ? Buffer.from(publicKey.export({ format: 'jwk' }).x!, 'base64url')
          : publicKey.export({ type: 'spki', format: form as 'pem' })
      const jws = forgeMac({ ...server.header, alg: 'HS256' }, server.claims, secret)
      expect((await server.refused(await server.seal(jws))).reason).toBe('jws_alg')
    },
  )

  test("by the server's encryption key is refused", async () => {
    const { header, claims, keystore, seal } = server
    const { kid, privateKey } = keystore.encryptionKey
    const jws = forge({ ...header, kid }, claims, privateKey)
    expect((await server.refused(await seal(jws))).reason).toBe('jws_kid')
  })
})

describe('inner header', () => {
  test.each<[string, (header: Fixture['header']) => object | string, string]>([
    ['no alg', ({ kid, typ }) => ({ kid, typ }), 'jws_header'],
    ['no kid', ({ alg, typ }) => ({ alg, typ }), 'jws_header'],
    ['no typ', ({ alg, kid }) => ({ alg, kid }), 'jws_header'],
    ['typ JWT', (header) => ({ ...header, typ: 'JWT' }), 'typ'],
    ['the long form of typ', (header) => ({ ...header, typ: 'application/at+jwt' }), 'typ'],
    ['a kid that is not a string', (header) => ({ ...header, kid: [header.kid] }), 'jws_header'],
    ['another kid', (header) => ({ ...header, kid: '../sig' }), 'jws_kid'],
    ['the kid __proto__', (header) => ({ ...header, kid: '__proto__' }), 'jws_kid'],
    ['another alg of the same key', (header) => ({ ...header, alg: 'ES256K' }), 'jws_alg'],
    ['an unknown parameter', (header) => ({ ...header, cty: 'JWT' }), 'jws_header'],
    ['a list for a header', () => '[]', 'header'],
    ['null for a header', () => 'null', 'header'],
    ['invalid JSON', () => '{', 'header'],
    ['an empty header', () => '', 'header'],
  ])('%s is refused', async (_name, header, reason) => {
    expect(await server.refusedSigned(header(server.header), server.claims)).toEqual({
      code: 'token_invalid',
      reason,
    })
  })
})

describe('header parameters that bring a key, a cost or an extension', () => {
  test.each(REFUSED_PARAMETERS)('inner %s %j is refused', async (name, value) => {
    const { reason } = await server.refusedSigned(
      { ...server.header, [name]: value },
      server.claims,
    )
    expect(reason).toBe('header_parameter')
  })

  test("a jwk in the header does not replace the server's key", async () => {
    const { keystore } = await setUp()
    const { publicJwk, privateKey } = keystore.signingKey
    const header = { ...server.header, kid: publicJwk.kid, jwk: publicJwk }
    const token = await server.seal(forge(header, server.claims, privateKey))
    expect((await server.refused(token)).reason).toBe('header_parameter')
  })
})

describe('invalid claims are refused, even if they are signed:', () => {
  test.each<[string, Record<string, unknown>, string]>([
    ['no exp', { exp: undefined }, 'claims'],
    ['exp null', { exp: null }, 'claims'],
    ['exp text', { exp: '4000000000' }, 'claims'],
    ['exp a fraction', { exp: 4_000_000_000.5 }, 'claims'],
    ['exp negative', { exp: -1 }, 'claims'],
    ['exp beyond safe integers', { exp: 2 ** 53 }, 'claims'],
    ['exp a list', { exp: [4_000_000_000] }, 'claims'],
    ['no iat', { iat: undefined }, 'claims'],
    ['iat text', { iat: '1' }, 'claims'],
    ['no sub', { sub: undefined }, 'claims'],
    ['sub empty', { sub: '' }, 'claims'],
    ['sub a list', { sub: ['account-1'] }, 'claims'],
    ['sub an object', { sub: { id: 'account-1' } }, 'claims'],
    ['sub a number', { sub: 1 }, 'claims'],
    ['aud a list', { aud: ['client-1'] }, 'claims'],
    ['aud other than client_id', { aud: 'client-2' }, 'claims'],
    ['no jti', { jti: undefined }, 'claims'],
    ['jti a number', { jti: 1 }, 'claims'],
    ['no sid', { sid: undefined }, 'claims'],
    ['no scope', { scope: undefined }, 'claims'],
    ['no iss', { iss: undefined }, 'claims'],
    ['another iss', { iss: 'https://evil.test' }, 'iss'],
    ['iss with a trailing slash', { iss: 'https://auth.test/' }, 'iss'],
    ['an unknown claim', { admin: true }, 'claims'],
    ['nbf', { nbf: 1 }, 'claims'],
  ])('%s', async (_name, change, reason) => {
    const { header, claims } = server
    expect(await server.refusedSigned(header, { ...claims, ...change })).toEqual({
      code: 'token_invalid',
      reason,
    })
  })

  test('exp 1e400, which JSON reads as infinity', async () => {
    const text = JSON.stringify({ ...server.claims, exp: 0 }).replace('"exp":0', '"exp":1e400')
    expect((await server.refusedSigned(server.header, text)).reason).toBe('claims')
  })

  test.each(['[]', 'null', '"text"', '1', '', '{', '{"exp":'])('payload %j', async (payload) => {
    expect((await server.refusedSigned(server.header, payload)).reason).toBe('payload')
  })

  test('a payload that is not UTF-8', async () => {
    const text = JSON.stringify({ ...server.claims, sub: '\u00e9' })
    const { reason } = await server.refusedSigned(server.header, Buffer.from(text, 'latin1'))
    expect(reason).toBe('payload')
  })
})

describe('form', () => {
  test.each<[string, (jws: string) => string | Promise<string>]>([
    ['a token that was sealed twice', (jws) => server.seal(jws)],
    ['a JWS of JSON form', (jws) => JSON.stringify({ jws })],
    ['claims that nobody signed', () => JSON.stringify(server.claims)],
    ['an empty text', () => ''],
    ['two tokens', (jws) => `${jws}.${jws}`],
    ['a JWS without its payload', (jws) => withPart(jws, 1, () => '')],
  ])('%s, sealed, is refused', async (_name, change) => {
    const plaintext = await change(await server.accessJws())
    expect((await server.refused(server.sealWith(plaintext))).code).toBe('token_invalid')
  })

  test('a byte order mark before the JWS is refused', async () => {
    expect((await server.refused(server.sealWith(`\ufeff${await server.accessJws()}`))).code).toBe(
      'token_invalid',
    )
  })

  test.each([
    ['header', 0],
    ['payload', 1],
    ['signature', 2],
  ])('other bytes, fewer, more or none are refused in the inner %s', async (_name, index) => {
    const jws = await server.accessJws()
    for (const change of MANGLINGS) {
      const { code } = await server.refused(await server.seal(withPart(jws, index, change)))
      expect(code).toBe('token_invalid')
    }
  })

  test('a signature in DER is refused', async () => {
    const jws = await server.accessJws()
    const der = withPart(jws, 2, toDer)
    expect((await server.refused(await server.seal(der))).code).toBe('token_invalid')
  })
})

describe('a part has one spelling', () => {
  describe.each([0, 1, 2])('inner part %i', (index) => {
    test.each(SPELLINGS)('with %s is refused', async (_name, respell) => {
      const jws = withPart(await server.accessJws(), index, respell)
      expect((await server.refused(server.sealWith(jws))).reason).toBe('base64url')
    })
  })

  test('with a stray bit in the signature is refused', async () => {
    const jws = withPart(await server.accessJws(), 2, withStrayBit)
    expect((await server.refused(server.sealWith(jws))).reason).toBe('base64url')
  })
})

function toDer(signature: string): string {
  const raw = Buffer.from(signature, 'base64url')
  const integer = (bytes: Buffer) => Buffer.from([2, bytes.length + 1, 0, ...bytes])
  const body = Buffer.concat([integer(raw.subarray(0, 32)), integer(raw.subarray(32))])
  return base64url(Buffer.concat([Buffer.from([0x30, body.length]), body]))
}
