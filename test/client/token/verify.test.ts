import { generateKeyPairSync, sign } from 'node:crypto'
import { beforeAll, describe, expect, test } from '@jest/globals'
import { CompactSign } from 'jose'
import { verify } from '../../../client/token/verify.ts'
import { SIGNING_ALGS } from '../../../protocol/algorithms.ts'
import { generateKeyPair, type KeyPair } from '../../../server/keystore/key-pair.ts'
import { codeOf } from '../../support/auth-client.ts'
import {
  base64url,
  DEFAULTS,
  forge,
  forgeMac,
  MANGLINGS,
  open,
  REFUSED_PARAMETERS,
  SPELLINGS,
  withPart,
} from '../../token/fixtures.ts'
import { setUpClient, type ClientFixture } from './fixtures.ts'

let fixture: ClientFixture
beforeAll(async () => {
  fixture = await setUpClient()
})

const refused = (jws: string) => codeOf(verify(jws, 'at+jwt', fixture.keys))

test('returns the header and payload of a JWS that the server signed', async () => {
  const { signed, header, claims, keys } = fixture
  expect(await verify(signed({}), 'at+jwt', keys)).toEqual({ header, payload: claims })
})

test('an access token is refused as a refresh token, and the other way round', async () => {
  const jws = fixture.signed({ typ: 'rt+jwt' })
  expect(await refused(jws)).toBe('token_invalid')
  expect(await verify(jws, 'rt+jwt', fixture.keys)).toBeDefined()
  expect(await codeOf(verify(fixture.signed({}), 'rt+jwt', fixture.keys))).toBe('token_invalid')
})

describe('a JWS header with', () => {
  test.each<[string, Record<string, unknown>]>([
    ['no alg', { alg: undefined }],
    ['alg none', { alg: 'none' }],
    ['alg None', { alg: 'None' }],
    ['another supported alg', { alg: 'ES384' }],
    ['an alg of another key type', { alg: 'EdDSA' }],
    ['a list as its alg', { alg: ['ES256'] }],
    ['no kid', { kid: undefined }],
    ['an unknown kid', { kid: 'unknown' }],
    ['a number as its kid', { kid: 1 }],
    ['no typ', { typ: undefined }],
    ['typ JWT', { typ: 'JWT' }],
    ['typ in capitals', { typ: 'AT+JWT' }],
    ['the full media type', { typ: 'application/at+jwt' }],
    ['cty', { cty: 'JWT' }],
    ['an unknown parameter', { x: 1 }],
  ])('%s is refused', async (_name, changes) => {
    expect(await refused(fixture.signed(changes))).toBe('token_invalid')
  })

  test.each(REFUSED_PARAMETERS)('%s %j is refused', async (name, value) => {
    expect(await refused(fixture.signed({ [name]: value }))).toBe('token_invalid')
  })

  test("the kid of the server's encryption key is refused", async () => {
    const { kid, privateKey } = fixture.server.keystore.encryptionKey
    const jws = forge({ ...fixture.header, kid }, fixture.claims, privateKey)
    expect(await refused(jws)).toBe('token_invalid')
  })
})

describe('a signature', () => {
  test("by another key under the server's kid is refused", async () => {
    const { privateKey } = await generateKeyPair('sig', DEFAULTS)
    expect(await refused(forge(fixture.header, fixture.claims, privateKey))).toBe('token_invalid')
  })

  test('that is an HMAC with the public key, in any encoding, is refused', async () => {
    const { header, claims, server } = fixture
    const { publicKey, publicJwk } = server.keystore.signingKey
    const pem = publicKey.export({ type: 'spki', format: 'pem' })
    const der = publicKey.export({ type: 'spki', format: 'der' })
    for (const key of [
      pem,
      der,
      JSON.stringify(publicJwk),
      Buffer.from(publicJwk.x!, 'base64url'),
    ]) {
      expect(await refused(forgeMac({ ...header, alg: 'HS256' }, claims, key))).toBe(
        'token_invalid',
      )
    }
  })

  test('that is missing is refused, whatever the alg', async () => {
    for (const alg of ['none', 'ES256']) {
      const jws = fixture.signed({ alg }).split('.').slice(0, 2)
      expect(await refused([...jws, ''].join('.'))).toBe('token_invalid')
      expect(await refused(jws.join('.'))).toBe('token_invalid')
    }
  })

  test('in DER is refused', async () => {
    const { privateKey } = fixture.server.keystore.signingKey
    const [header, payload] = fixture.signed({}).split('.')
    const der = sign('sha256', Buffer.from(`${header}.${payload}`), privateKey)
    expect(await refused(`${header}.${payload}.${base64url(der)}`)).toBe('token_invalid')
  })

  test('of zeros is refused', async () => {
    const zeros = withPart(fixture.signed({}), 2, () => base64url(Buffer.alloc(64)))
    expect(await refused(zeros)).toBe('token_invalid')
  })
})

describe.each([0, 1, 2])('part %i', (index) => {
  test('with other, fewer, more or no bytes is refused', async () => {
    const jws = fixture.signed({})
    for (const mangle of MANGLINGS) {
      expect(await refused(withPart(jws, index, mangle))).toBe('token_invalid')
    }
  })

  test.each(SPELLINGS)('with %s is refused', async (_name, respell) => {
    expect(await refused(withPart(fixture.signed({}), index, respell))).toBe('token_invalid')
  })
})

test.each(['', '.', '..', 'a.b.c', '....', 'null', '{}', ' '])('%j is refused', async (text) => {
  expect(await refused(text)).toBe('token_invalid')
})

test.each(['[]', '"text"', 'null', '1', '{', Buffer.from([0xff])])(
  'a payload that is not a JSON object (%s) is refused, even if it is signed',
  async (payload) => {
    const { privateKey } = fixture.server.keystore.signingKey
    expect(await refused(forge(fixture.header, payload, privateKey))).toBe('token_invalid')
  },
)

test('a JWE is refused', async () => {
  expect(await refused(fixture.access())).toBe('token_invalid')
})

test('a key verifies only its own algorithm', async () => {
  const rsa = await generateKeyPair('sig', { ...DEFAULTS, signingAlg: 'RS256' })
  const keys = () => Promise.resolve(rsa.publicJwk as never)
  const signed = (alg: string) =>
    new CompactSign(new TextEncoder().encode('{}'))
      .setProtectedHeader({ alg, kid: rsa.kid, typ: 'at+jwt' })
      .sign(rsa.privateKey)
  expect(await verify(await signed('RS256'), 'at+jwt', keys)).toBeDefined()
  expect(await codeOf(verify(await signed('PS256'), 'at+jwt', keys))).toBe('token_invalid')
  // An algorithm outside the table is refused even if a key is published for it.
  const odd = () => Promise.resolve({ ...rsa.publicJwk, alg: 'RS512' } as never)
  expect(await codeOf(verify(await signed('RS512'), 'at+jwt', odd))).toBe('token_invalid')
})

/** A JWS of `{}`, signed with a key, under a given name of its algorithm. */
const signedBy = ({ kid, privateKey }: KeyPair, alg: string) =>
  new CompactSign(new TextEncoder().encode('{}'))
    .setProtectedHeader({ alg, kid, typ: 'at+jwt' })
    .sign(privateKey)

test.each(SIGNING_ALGS)(
  'a %s signature of jose is accepted, no other bytes or key',
  async (alg) => {
    const key = await generateKeyPair('sig', { ...DEFAULTS, signingAlg: alg })
    const keys = () => Promise.resolve(key.publicJwk as never)
    const jws = await signedBy(key, alg)
    expect((await verify(jws, 'at+jwt', keys)).payload).toEqual({})
    for (const mangle of MANGLINGS) {
      expect(await codeOf(verify(withPart(jws, 2, mangle), 'at+jwt', keys))).toBe('token_invalid')
    }
    const other = await generateKeyPair('sig', { ...DEFAULTS, signingAlg: alg })
    const forged = await signedBy({ ...other, kid: key.kid }, alg)
    expect(await codeOf(verify(forged, 'at+jwt', keys))).toBe('token_invalid')
  },
)

test('a published key that is unusable verifies nothing', async () => {
  const { publicJwk } = fixture.server.keystore.signingKey
  const weak = generateKeyPairSync('rsa', { modulusLength: 1024 })
  const keysOf = (jwk: object) => () => Promise.resolve({ ...publicJwk, ...jwk } as never)
  const offCurve = keysOf({ x: publicJwk.y })
  expect(await codeOf(verify(fixture.signed({}), 'at+jwt', offCurve))).toBe('token_invalid')
  const short = keysOf({ ...weak.publicKey.export({ format: 'jwk' }), alg: 'RS256' })
  const head = base64url(JSON.stringify({ alg: 'RS256', kid: 'x', typ: 'at+jwt' }))
  const input = `${head}.${base64url('{}')}`
  const signature = base64url(sign('sha256', Buffer.from(input), weak.privateKey))
  expect(await codeOf(verify(`${input}.${signature}`, 'at+jwt', short))).toBe('token_invalid')
})

test.each([
  ['EdDSA', 'Ed25519'],
  ['Ed25519', 'EdDSA'],
] as const)('a key published for %s refuses %s, its other name', async (own, other) => {
  const key = await generateKeyPair('sig', { ...DEFAULTS, signingAlg: own })
  const keys = () => Promise.resolve(key.publicJwk as never)
  const signed = (alg: string) =>
    new CompactSign(new TextEncoder().encode('{}'))
      .setProtectedHeader({ alg, kid: key.kid, typ: 'at+jwt' })
      .sign(key.privateKey)
  expect((await verify(await signed(own), 'at+jwt', keys)).payload).toEqual({})
  expect(await codeOf(verify(await signed(other), 'at+jwt', keys))).toBe('token_invalid')
})

test('a failure to fetch the keys is thrown as it is', async () => {
  const keys = () => Promise.reject(new Error('no keys'))
  await expect(verify(fixture.signed({}), 'at+jwt', keys)).rejects.toThrow('no keys')
})

test('a JWS that the server issued is accepted', async () => {
  const { server } = fixture
  expect(await refused(await open(await server.seal('x'), server.keystore.encryptionKey))).toBe(
    'token_invalid',
  )
  expect(await verify(await server.accessJws(), 'at+jwt', fixture.keys)).toBeDefined()
})

test.each([
  ['looked for', () => Promise.reject(new RangeError('Array buffer allocation failed'))],
  [
    'used',
    async (kid: string) => ({
      ...(await fixture.keys(kid))!,
      get x(): string {
        throw new RangeError('Array buffer allocation failed')
      },
    }),
  ],
])('a fault of the runtime while a key is %s is thrown as it is', async (_, keys) => {
  await expect(verify(fixture.signed({}), 'at+jwt', keys)).rejects.toBeInstanceOf(RangeError)
})
