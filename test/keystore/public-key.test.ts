import { beforeAll, describe, expect, test } from '@jest/globals'
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import fc from 'fast-check'
import { calculateJwkThumbprint, type JWK } from 'jose'
import { ENCRYPTION_CURVES, SIGNING_KEY_TYPES, type KeyType } from '../../protocol/algorithms.ts'
import { importPublicKey, PublicKeyError } from '../../server/keystore/public-key.ts'
import { base64url, withStrayBit } from '../token/fixtures.ts'

const P256 = ENCRYPTION_CURVES['P-256']
const RSA: KeyType = { kty: 'RSA' }

/** A point whose x starts with a zero byte, as one in 256 does. */
const LEADING_ZERO = {
  kty: 'EC',
  crv: 'P-256',
  x: 'AM28IPizRG-Pev1ipzKsKBQGlbkQcqF6KkjxAkSy8zE',
  y: 'XJKX4X3Rl0uy6IUjzEQar2z58Jr0FEYKvaoHZR2YHkw',
}

const ec = (namedCurve = 'P-256') => generateKeyPairSync('ec', { namedCurve })
const rsa = (modulusLength = 2048, publicExponent = 65_537) =>
  generateKeyPairSync('rsa', { modulusLength, publicExponent })
const jwkOf = (key: KeyObject) => key.export({ format: 'jwk' }) as JWK

/** What the refusal of `input` says. Anything but a PublicKeyError fails the test, as does success. */
async function fault(input: unknown, required: KeyType = P256): Promise<string> {
  const error = await importPublicKey(input as JWK, required).then(
    () => new Error('It was accepted.'),
    (error: unknown) => error,
  )
  if (!(error instanceof PublicKeyError)) throw error as Error
  expect(error.code).toBe('public_key_unusable')
  return error.message
}

const pairs = {
  'EC P-256': ec('P-256'),
  'EC P-384': ec('P-384'),
  'EC P-521': ec('P-521'),
  'OKP Ed25519': generateKeyPairSync('ed25519'),
  'OKP X25519': generateKeyPairSync('x25519'),
  RSA: rsa(),
}
const types = [
  ...Object.values(SIGNING_KEY_TYPES),
  ...Object.values(ENCRYPTION_CURVES),
] as KeyType[]
const nameOf = ({ kty, crv }: KeyType) => (crv === undefined ? kty : `${kty} ${crv}`)
const TYPES = [...new Map(types.map((type) => [nameOf(type), type]))] as [
  keyof typeof pairs,
  KeyType,
][]

describe.each(TYPES)('a public key of type %s', (name, type) => {
  const { publicKey, privateKey } = pairs[name]

  test.each<[string, JWK]>([
    ['alone', jwkOf(publicKey)],
    ['with use, alg and kid', { ...jwkOf(publicKey), use: 'enc', alg: 'x', kid: 'x' }],
  ])('is accepted %s, with its thumbprint as kid', async (_form, jwk) => {
    const imported = await importPublicKey(jwk, type)
    expect(imported.publicKey.equals(publicKey)).toBe(true)
    expect(imported.kid).toBe(await calculateJwkThumbprint(jwkOf(publicKey)))
  })

  test('is refused as a private key', async () => {
    expect(await fault(jwkOf(privateKey), type)).toBe('holds private members')
  })

  test.each(TYPES.filter(([other]) => other !== name))(
    'is refused if %s is required',
    async (other, due) => {
      expect(await fault(jwkOf(publicKey), due)).toBe(`is of type ${name}, not ${other}`)
    },
  )
})

describe('a private or symmetric key is refused', () => {
  test.each(['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'])(
    'for the member %s alone',
    async (name) => {
      const jwk = jwkOf(pairs['EC P-256'].publicKey)
      expect(await fault({ ...jwk, [name]: undefined })).toBe('holds private members')
    },
  )

  test('as oct', async () => {
    expect(await fault({ kty: 'oct', k: 'AAAA' })).toBe('holds private members')
    expect(await fault({ kty: 'oct' })).toBe('is not a public key, or is damaged')
  })
})

describe('a key that cannot be trusted is refused', () => {
  const jwk = jwkOf(pairs['EC P-256'].publicKey)
  const flip = (part: string) => {
    const bytes = Buffer.from(part, 'base64url')
    bytes[5]! ^= 1
    return base64url(bytes)
  }

  test.each<[string, object]>([
    ['a point off its curve', { ...jwk, y: flip(jwk.y!) }],
    ['the origin', { ...jwk, x: base64url(Buffer.alloc(32)), y: base64url(Buffer.alloc(32)) }],
    ['a point without y', { kty: 'EC', crv: 'P-256', x: jwk.x }],
    ['an unknown curve', { ...jwk, crv: 'P-1' }],
    ['an unknown type', { ...jwk, kty: 'ec' }],
    ['nothing but a type', { kty: 'EC' }],
    ['number members', { ...jwk, x: 1, y: 2 }],
    ['null members', { ...jwk, x: null, y: null }],
    ['no type', { crv: 'P-256', x: jwk.x, y: jwk.y }],
    ['an empty object', {}],
    ['a list', []],
  ])('%s', async (_name, input) => {
    expect(await fault(input)).toBe('is not a public key, or is damaged')
  })

  test('secp256k1, which no configuration names', async () => {
    expect(await fault(jwkOf(ec('secp256k1').publicKey))).toBe(
      'is of type EC secp256k1, not EC P-256',
    )
  })
})

const TOO_LONG = 'has a member that is too long'

test.each<[string, JWK, KeyType]>([
  // Node would take most of a second to read it.
  ['e', { ...jwkOf(pairs.RSA.publicKey), e: 'A'.repeat(60_000) }, RSA],
  ['n', { kty: 'RSA', e: 'AQAB', n: 'A'.repeat(1367) }, RSA],
  ['x', { ...LEADING_ZERO, x: 'A'.repeat(1367) }, P256],
  ['y', { ...LEADING_ZERO, y: 'A'.repeat(1367) }, P256],
])('an overlong %s is refused before the key is imported', async (_, jwk, required) => {
  expect(await fault(jwk, required)).toBe(TOO_LONG)
})

describe('RSA', () => {
  test.each([
    ['1024 bits', () => rsa(1024), 'is an RSA key of 1024 bits, outside 2048 to 8192'],
    ['exponent 3', () => rsa(2048, 3), 'is an RSA key with a public exponent other than 65537'],
  ])('%s is refused', async (_name, make, expected) => {
    expect(await fault(jwkOf(make().publicKey), RSA)).toBe(expected)
  })

  const { n } = jwkOf(pairs.RSA.publicKey)
  test.each([
    ['1, which encrypts to the plaintext itself', 'AQ'],
    ['0', 'AA'],
    ['2', 'Ag'],
    ['of 33 bits', 'AQAAAAE'],
  ])('exponent %s is refused', async (_name, e) => {
    expect(await fault({ kty: 'RSA', n, e }, RSA)).toMatch(/exponent other than 65537|damaged/)
  })

  test('a modulus of 16384 bits is refused', async () => {
    const modulus = base64url(Buffer.alloc(2048, 0xff))
    expect(await fault({ kty: 'RSA', n: modulus, e: 'AQAB' }, RSA)).toBe(TOO_LONG)
  })

  test('a modulus of 8192 bits is accepted', async () => {
    const modulus = base64url(Buffer.alloc(1024, 0xff))
    await expect(
      importPublicKey({ kty: 'RSA', n: modulus, e: 'AQAB' }, RSA),
    ).resolves.toHaveProperty('publicKey.asymmetricKeyDetails.modulusLength', 8192)
  })
})

test.each(['00', '01'])('a point of low order on X25519 (%s…) is refused', async (first) => {
  const x = Buffer.from(first.padEnd(64, '0'), 'hex').toString('base64url')
  const jwk = { kty: 'OKP', crv: 'X25519', x }
  expect(await fault(jwk, ENCRYPTION_CURVES.X25519)).toBe('is a point of low order')
})

test('a bug while a key is read is not reported as a fault of the key', async () => {
  const bug = new RangeError('Array buffer allocation failed')
  const key = jwkOf(pairs['EC P-256'].publicKey)
  // Fails only when Node reads it, after our own check of its length. From `crv`, Node 24 hides the error.
  let reads = 0
  const jwk = {
    ...key,
    get x() {
      if (++reads > 1) throw bug
      return key.x!
    },
  }
  await expect(importPublicKey(jwk, P256)).rejects.toBe(bug)
})

describe('a JWK has one spelling', () => {
  const { x, ...point } = jwkOf(pairs['EC P-256'].publicKey)
  const { n, e } = jwkOf(pairs.RSA.publicKey)
  const okp = jwkOf(pairs['OKP X25519'].publicKey)
  const longer = (part: string) =>
    base64url(Buffer.concat([Buffer.alloc(1), Buffer.from(part, 'base64url')]))

  test.each<[string, JWK, KeyType]>([
    ['padding', { ...point, x: `${x}=` }, P256],
    ['a space', { ...point, x: `${x} ` }, P256],
    ['stray bits', { ...point, x: withStrayBit(x!) }, P256],
    ['a leading zero', { ...point, x: longer(x!) }, P256],
    ['a leading zero in n', { kty: 'RSA', n: longer(n!), e: e! }, RSA],
    ['a leading zero in e', { kty: 'RSA', n: n!, e: longer(e!) }, RSA],
    ['padding on OKP', { ...okp, x: `${okp.x}=` }, ENCRYPTION_CURVES.X25519],
  ])('%s is refused', async (_name, jwk, type) => {
    expect(await fault(jwk, type)).toMatch(/not in the form of RFC 7518$|damaged$/)
  })

  test('a coordinate that lost its leading zero is refused', async () => {
    expect(await importPublicKey(LEADING_ZERO, P256)).toMatchObject({
      kid: await calculateJwkThumbprint(LEADING_ZERO),
    })
    const short = base64url(Buffer.from(LEADING_ZERO.x, 'base64url').subarray(1))
    expect(await fault({ ...LEADING_ZERO, x: short })).toMatch(
      /"x" that is not in the form|damaged/,
    )
  })
})

describe('whatever a JWK holds, only a PublicKeyError is thrown', () => {
  const NAMES = ['kty', 'crv', 'x', 'y', 'n', 'e', 'd', 'k', 'use', 'alg', 'kid', 'key_ops', 'x5c']
  const VALUES = [
    'EC',
    'RSA',
    'OKP',
    'oct',
    'P-256',
    'P-521',
    'X25519',
    'Ed25519',
    'AQAB',
    '',
    'AA',
  ]
  const name = fc.constantFrom(...NAMES)
  const value = fc.oneof(
    fc.constantFrom(...VALUES),
    fc.uint8Array({ minLength: 31, maxLength: 33 }).map((bytes) => base64url(Buffer.from(bytes))),
    fc.base64String(),
    fc.jsonValue(),
  )
  let good: JWK[]
  beforeAll(() => {
    // On the OKP curves any 32 bytes are a point, so another x is another good key.
    good = Object.values(pairs)
      .map(({ publicKey }) => jwkOf(publicKey))
      .filter(({ kty }) => kty !== 'OKP')
  })

  /** Whether the key is accepted, and then with the right kid. */
  async function isTaken(jwk: JWK, type: KeyType): Promise<boolean> {
    try {
      const { kid, publicKey } = await importPublicKey(jwk, type)
      expect(kid).toBe(await calculateJwkThumbprint(jwkOf(publicKey)))
      expect(publicKey.type).toBe('public')
      return true
    } catch (error) {
      expect(error).toBeInstanceOf(PublicKeyError)
      return false
    }
  }

  test('for 2000 objects with the names of JWK members', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(name, value),
        fc.constantFrom(...TYPES),
        async (jwk, [, type]) => {
          await isTaken(jwk, type)
        },
      ),
      { numRuns: 2000 },
    )
  })

  test('for 1000 good keys with one member changed, refused if that member counts', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(3), name, value, async (index, name, value) => {
        const jwk = good[index]!
        const changed = { ...jwk, [name]: value }
        const type = TYPES.find(([, { kty, crv }]) => kty === jwk.kty && crv === jwk.crv)![1]
        const counts = Object.hasOwn(jwk, name) && jwk[name as keyof JWK] !== value
        const taken = await isTaken(changed, type)
        if (counts || name === 'd' || name === 'k') expect(taken).toBe(false)
      }),
      { numRuns: 1000 },
    )
  })

  test('for 500 arbitrary objects', async () => {
    await fc.assert(
      fc.asyncProperty(fc.object(), async (jwk) => {
        expect(await isTaken(jwk as JWK, P256)).toBe(false)
      }),
      { numRuns: 500 },
    )
  })
})
