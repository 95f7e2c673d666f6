import { describe, expect, test } from '@jest/globals'
import { createPrivateKey, generateKeyPairSync, type JsonWebKey } from 'node:crypto'
import { ENCRYPTION_CRVS, type EncryptionCrv } from '../../../protocol/algorithms.ts'
import { parseEphemeralKey, sharedSecret } from '../../../server/token/jwe/ephemeral-key.ts'
import { withStrayBit } from '../fixtures.ts'
import { generatePair, LOW_ORDER_POINTS, reasonOf } from './fixtures.ts'
import { CURVE_25519 } from './vectors.ts'

const publicJwk = (crv: EncryptionCrv) => generatePair(crv).publicKey.export({ format: 'jwk' })

test.each(ENCRYPTION_CRVS)('parses a key on %s, and drops the members that do not count', (crv) => {
  const key = publicJwk(crv)
  expect(parseEphemeralKey(key, crv)).toEqual(key)
  expect(parseEphemeralKey({ ...key, kid: 'more', use: 'sig', alg: 'none' }, crv)).toEqual(key)
})

test('ignores a y on X25519', () => {
  const key = publicJwk('X25519')
  expect(parseEphemeralKey({ ...key, y: key.x }, 'X25519')).toEqual(key)
})

const KEY = publicJwk('P-256')
const PRIVATE_MEMBERS = ['d', 'k', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'priv']

test.each<[string, unknown]>([
  ['undefined', undefined],
  ['null', null],
  ['a string', 'epk'],
  ['a list', [KEY]],
  ['an empty object', {}],
  ['no curve', { ...KEY, crv: undefined }],
  ['no type', { ...KEY, kty: undefined }],
  ['an unsupported curve', { ...KEY, crv: 'secp256k1' }],
  ['a curve of another type', { ...KEY, kty: 'OKP' }],
  ['a key on another curve', publicJwk('P-384')],
  ['a key of another type', publicJwk('X25519')],
  ['the coordinates of another curve', { ...publicJwk('P-384'), crv: 'P-256' }],
  ['a coordinate missing', { ...KEY, y: undefined }],
  ['a coordinate that is a number', { ...KEY, x: 1 }],
  ['a coordinate that is too long', { ...KEY, x: `${KEY.x}A` }],
  ['a coordinate that is too short', { ...KEY, y: KEY.y!.slice(0, -1) }],
  ['a coordinate in plain base64', { ...KEY, x: `+${KEY.x!.slice(1)}` }],
  ['a coordinate with padding', { ...KEY, x: `${KEY.x!.slice(0, -1)}=` }],
  ['a coordinate with a stray bit', { ...KEY, x: withStrayBit(KEY.x!) }],
  ['a coordinate with a line break', { ...KEY, x: `${KEY.x!.slice(0, -1)}\n` }],
  ['key_ops', { ...KEY, key_ops: 'deriveBits' }],
  ['ext', { ...KEY, ext: true }],
  ...PRIVATE_MEMBERS.map((name): [string, unknown] => [
    `a private ${name}`,
    { ...KEY, [name]: '' },
  ]),
  ['a private member that is null', { ...KEY, d: null }],
])('%s is refused', (_, epk) => {
  expect(reasonOf(() => parseEphemeralKey(epk, 'P-256'))).toBe('epk')
})

describe('a shared secret', () => {
  test('is that of RFC 8037, Appendix A.6', () => {
    const privateKey = createPrivateKey({ key: CURVE_25519.bob, format: 'jwk' })
    const epk = parseEphemeralKey(CURVE_25519.epk, 'X25519')
    expect(sharedSecret(privateKey, epk)).toEqual(CURVE_25519.secret)
  })

  test.each(['P-256', 'P-384', 'P-521'] as const)('a point off %s is refused', (crv) => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: crv })
    const key = publicJwk(crv)
    const swapped = parseEphemeralKey({ ...key, x: key.y, y: key.x }, crv)
    const zeros = 'A'.repeat(key.x!.length)
    const origin = parseEphemeralKey({ ...key, x: zeros, y: zeros }, crv)
    expect(reasonOf(() => sharedSecret(privateKey, swapped))).toBe('epk')
    expect(reasonOf(() => sharedSecret(privateKey, origin))).toBe('epk')
  })

  test.each(LOW_ORDER_POINTS)('the point of low order $x is refused', (point) => {
    const { privateKey } = generateKeyPairSync('x25519')
    const epk = parseEphemeralKey(point, 'X25519')
    expect(reasonOf(() => sharedSecret(privateKey, epk))).toBe('epk')
  })
})

describe('a coordinate of P-521 that begins with zeros', () => {
  /** A key whose coordinates both begin with a zero byte, as one key in four has them. */
  function find(): { key: JsonWebKey; privateKey: ReturnType<typeof createPrivateKey> } {
    for (;;) {
      const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-521' })
      const key = publicKey.export({ format: 'jwk' })
      if ([key.x!, key.y!].every((text) => Buffer.from(text, 'base64url')[0] === 0)) {
        return { key, privateKey }
      }
    }
  }
  const { key, privateKey } = find()

  test('keeps its full length, and gives the same secret', () => {
    const other = generateKeyPairSync('ec', { namedCurve: 'P-521' })
    const { kty, crv, x, y } = other.publicKey.export({ format: 'jwk' })
    const secret = sharedSecret(other.privateKey, parseEphemeralKey(key, 'P-521'))
    expect(secret).toHaveLength(66)
    expect(secret).toEqual(sharedSecret(privateKey, { kty: kty!, crv: crv!, x: x!, y: y! }))
  })

  test.each(['x', 'y'] as const)('is refused without its zeros in %s', (name) => {
    const short = Buffer.from(key[name]!, 'base64url').subarray(1).toString('base64url')
    expect(reasonOf(() => parseEphemeralKey({ ...key, [name]: short }, 'P-521'))).toBe('epk')
  })

  test('is refused with one more zero', () => {
    const long = Buffer.concat([Buffer.alloc(1), Buffer.from(key.x!, 'base64url')])
    const epk = { ...key, x: long.toString('base64url') }
    expect(reasonOf(() => parseEphemeralKey(epk, 'P-521'))).toBe('epk')
  })
})
