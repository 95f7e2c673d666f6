import { beforeEach, describe, expect, test } from '@jest/globals'
import { deflateRawSync } from 'node:zlib'
import { accessToken } from '../../server/token/claims.ts'
import { validate } from '../../server/token/validate.ts'
import { encryptJwe } from '../support/foreign-jose.ts'
import {
  base64url,
  DEFAULTS,
  edit,
  MANGLINGS,
  REFUSED_PARAMETERS,
  refusal,
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

describe('outer header', () => {
  test.each<[string, Record<string, unknown>, string]>([
    ['no alg', { alg: undefined }, 'jwe_header'],
    ['no enc', { enc: undefined }, 'jwe_header'],
    ['another alg of ours', { alg: 'ECDH-ES+A256KW' }, 'jwe_alg'],
    ['the direct form of alg', { alg: 'ECDH-ES' }, 'jwe_alg'],
    ['alg dir', { alg: 'dir' }, 'jwe_alg'],
    ['alg by passphrase', { alg: 'PBES2-HS256+A128KW' }, 'jwe_alg'],
    ['alg RSA1_5', { alg: 'RSA1_5' }, 'jwe_alg'],
    ['alg none', { alg: 'none' }, 'jwe_alg'],
    ['alg a list', { alg: ['ECDH-ES+A128KW'] }, 'jwe_header'],
    ['another enc of ours', { enc: 'A256GCM' }, 'jwe_enc'],
    ['enc none', { enc: 'none' }, 'jwe_enc'],
    ['an unknown kid', { kid: 'unknown' }, 'jwe_kid'],
    ['an empty kid', { kid: '' }, 'jwe_kid'],
    ['a kid of null', { kid: null }, 'jwe_header'],
    ['a kid that is a list', { kid: [] }, 'jwe_header'],
    ['no cty', { cty: undefined }, 'cty'],
    ['cty json', { cty: 'json' }, 'cty'],
    ['cty in small letters', { cty: 'jwt' }, 'cty'],
    ['cty a list', { cty: ['JWT'] }, 'jwe_header'],
  ])('%s is refused', async (_name, header, reason) => {
    expect(await server.refused(server.sealWith(await server.accessJws(), header))).toEqual({
      code: 'token_invalid',
      reason,
    })
  })

  test('the kid of the signing key is refused', async () => {
    const { kid } = server.keystore.signingKey
    const token = server.sealWith(await server.accessJws(), { kid })
    expect((await server.refused(token)).reason).toBe('jwe_kid')
  })

  test('a token that was encrypted to another key under our kid does not open', async () => {
    const { kid } = server.keystore.encryptionKey
    const token = encryptJwe(await server.accessJws(), server.client.publicKey, { kid, cty: 'JWT' })
    expect((await server.refused(token)).code).toBe('token_invalid')
  })

  test.each(['alg', 'enc'] as const)(
    'a server that is configured with another %s refuses the token',
    async (name) => {
      const other = { encryptionAlg: 'ECDH-ES+A256KW', encryptionEnc: 'A256GCM' } as const
      const { encryptionAlg, encryptionEnc } = { ...DEFAULTS, ...other }
      const algorithms = {
        ...DEFAULTS,
        ...(name === 'alg' ? { encryptionAlg } : { encryptionEnc }),
      }
      const strict = await setUp(algorithms)
      const token = strict.sealWith(await strict.accessJws())
      expect((await refusal(validate(strict.context, accessToken, token))).reason).toBe(
        `jwe_${name}`,
      )
    },
  )
})

describe('epk', () => {
  const OTHER_CURVE = {
    kty: 'EC',
    crv: 'P-384',
    x: base64url(Buffer.alloc(48, 1)),
    y: base64url(Buffer.alloc(48, 2)),
  }
  const POINT = { kty: 'EC', crv: 'P-256' }
  const bytes = (fill: number, length = 32) => base64url(Buffer.alloc(length, fill))

  test.each<[string, unknown]>([
    ['missing', undefined],
    ['null', null],
    ['a string', 'epk'],
    ['a number', 1],
    ['a list', []],
    ['empty', {}],
    ['of another curve', OTHER_CURVE],
    ['of an unknown curve', { kty: 'EC', crv: 'P-1', x: bytes(1), y: bytes(2) }],
    ['off the curve', { ...POINT, x: bytes(1), y: bytes(2) }],
    ['the origin', { ...POINT, x: bytes(0), y: bytes(0) }],
    ['beyond the field', { ...POINT, x: bytes(255), y: bytes(255) }],
    ['with number members', { ...POINT, x: 1, y: 2 }],
    ['with a number for a curve', { ...POINT, crv: 1 }],
    ['with null members', { ...POINT, x: null, y: null }],
    ['with object members', { ...POINT, x: {}, y: [] }],
    ['with empty members', { ...POINT, x: '', y: '' }],
    ['without y', { ...POINT, x: bytes(1) }],
    ['too short', { ...POINT, x: bytes(1, 31), y: bytes(1, 31) }],
    ['of another type', { kty: 'OKP', crv: 'X25519', x: bytes(9) }],
    ['a symmetric key', { kty: 'oct', k: bytes(1) }],
    ['a number for a type', { kty: 1 }],
  ])('%s is refused', async (_name, epk) => {
    const token = server.sealWith(await server.accessJws(), { epk })
    expect((await server.refused(token)).code).toBe('token_invalid')
  })

  test.each<[string, Record<string, unknown>]>([
    ['apu a number', { apu: 1 }],
    ['apv a list', { apv: [] }],
  ])('%s is refused', async (_name, header) => {
    expect((await server.refused(server.sealWith(await server.accessJws(), header))).code).toBe(
      'token_invalid',
    )
  })

  test.each([0, 1])('a point of low order (%i) on X25519 is refused', async (u) => {
    const algorithms = { ...DEFAULTS, encryptionCrv: 'X25519' } as const
    const { context, accessJws, seal } = await setUp(algorithms)
    const x = Buffer.alloc(32)
    x[0] = u
    const epk = { kty: 'OKP', crv: 'X25519', x: base64url(x) }
    const token = edit(await seal(await accessJws()), 0, { epk })
    expect((await refusal(validate(context, accessToken, token))).code).toBe('token_invalid')
  })
})

describe('header parameters that bring a key, a cost or an extension', () => {
  test.each(REFUSED_PARAMETERS)('outer %s %j is refused', async (name, value) => {
    const token = server.sealWith(await server.accessJws(), { [name]: value })
    expect((await server.refused(token)).reason).toBe('header_parameter')
  })

  test('a token that is really compressed is not inflated', async () => {
    const token = server.sealWith(deflateRawSync(await server.accessJws()), { zip: 'DEF' })
    expect((await server.refused(token)).reason).toBe('header_parameter')
  })
})

describe('form', () => {
  test.each(['', '.', '....', 'x', 'a.b.c.d.e', '\u{1f511}', 'null', '{}', ' '])(
    '%j is refused',
    async (text) => {
      expect((await server.refused(text)).code).toBe('token_invalid')
    },
  )

  test('a bare JWS is refused, even if it is good', async () => {
    expect((await server.refused(await server.accessJws())).reason).toBe('segments')
  })

  test('a part more or less is refused', async () => {
    const token = await server.seal(await server.accessJws())
    expect((await server.refused(`${token}.`)).reason).toBe('segments')
    expect((await server.refused(`${token}.AAAA`)).reason).toBe('segments')
    expect((await server.refused(token.slice(0, token.lastIndexOf('.')))).reason).toBe('segments')
  })

  test('a plaintext that is not UTF-8 is refused', async () => {
    expect((await server.refused(server.sealWith(Buffer.from([0xff, 0xfe, 0xfd])))).code).toBe(
      'token_invalid',
    )
  })

  test.each([
    ['encrypted key', 1],
    ['initialization vector', 2],
    ['ciphertext', 3],
    ['authentication tag', 4],
  ])('other bytes, fewer, more or none are refused in the %s', async (_name, index) => {
    const token = await server.seal(await server.accessJws())
    for (const change of MANGLINGS) {
      expect((await server.refused(withPart(token, index, change))).code).toBe('token_invalid')
    }
  })

  test('bytes moved between ciphertext and tag are refused', async () => {
    const [h, key, iv, ciphertext, tag] = (await server.seal(await server.accessJws())).split('.')
    const joined = Buffer.concat([
      Buffer.from(ciphertext!, 'base64url'),
      Buffer.from(tag!, 'base64url'),
    ])
    for (const tagLength of [4, 8, 12, 13, 14, 15, 17]) {
      const split = joined.length - tagLength
      const moved = [joined.subarray(0, split), joined.subarray(split)].map((x) => base64url(x))
      expect((await server.refused([h, key, iv, ...moved].join('.'))).code).toBe('token_invalid')
    }
  })
})

describe('a part has one spelling', () => {
  describe.each([0, 1, 2, 3, 4])('outer part %i', (index) => {
    test.each(SPELLINGS)('with %s is refused', async (_name, respell) => {
      const token = await server.seal(await server.accessJws())
      expect((await server.refused(withPart(token, index, respell))).reason).toBe('base64url')
    })
  })

  test('with a stray bit in the authentication tag is refused', async () => {
    const token = await server.seal(await server.accessJws())
    expect((await server.refused(withPart(token, 4, withStrayBit))).reason).toBe('base64url')
  })

  test('with the letters of plain base64 is refused', async () => {
    const letters = (part: string) => part.replaceAll('-', '+').replaceAll('_', '/')
    // A tag of 22 letters has one of these two letters every other time.
    for (;;) {
      const token = await server.seal(await server.accessJws())
      const respelled = withPart(token, 4, letters)
      if (respelled === token) continue
      expect((await server.refused(respelled)).reason).toBe('base64url')
      return
    }
  })
})
