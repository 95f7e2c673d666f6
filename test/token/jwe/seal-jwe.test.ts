import { describe, expect, test } from '@jest/globals'
import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { decodeProtectedHeader } from 'jose'
import { agreeOn, seal, type Recipient } from '../../../server/token/jwe/seal-jwe.ts'
import { TokenError } from '../../../server/errors/token-error.ts'
import {
  createKey,
  joseOpen,
  KEY_KINDS,
  keyFor,
  LOW_ORDER_POINTS,
  textOf,
  type TestKey,
} from './fixtures.ts'

const key = keyFor('ECDH-ES+A128KW', 'P-256')

/** The message of an error, which must not be a verdict on a token. */
function faultOf(work: () => unknown): string {
  try {
    work()
  } catch (error) {
    expect(error).not.toBeInstanceOf(TokenError)
    return (error as Error).message
  }
  throw new Error('It was sealed.')
}

describe('the header', () => {
  test.each(KEY_KINDS)('of %s, %s has only the members that it needs', (alg, crv) => {
    const recipient = keyFor(alg, crv)
    const header = decodeProtectedHeader(seal('text', recipient, 'A128GCM', { cty: 'JWT' }))
    const { epk, ...others } = header
    expect(others).toEqual({ alg, enc: 'A128GCM', kid: recipient.kid, cty: 'JWT' })
    const y = crv === 'X25519' ? {} : { y: expect.any(String) }
    const due = { kty: expect.any(String), crv, x: expect.any(String), ...y }
    expect(epk).toEqual(crv === undefined ? undefined : due)
  })

  test('has no cty unless one is given', () => {
    expect(decodeProtectedHeader(seal('text', key, 'A128GCM'))).not.toHaveProperty('cty')
  })
})

describe('tokens to one recipient', () => {
  const COUNT = 40
  const parts = (tokens: string[], index: number) =>
    new Set(tokens.map((token) => token.split('.')[index])).size

  test.each(KEY_KINDS)('by %s, %s, without an agreement, have nothing in common', (alg, crv) => {
    const recipient = keyFor(alg, crv)
    const tokens = Array.from({ length: 5 }, () => seal('text', recipient, 'A128GCM'))
    // The header of RSA-OAEP has nothing random in it, and direct agreement has no encrypted key.
    const header = alg === 'RSA-OAEP-256' ? 1 : 5
    const encryptedKey = alg === 'ECDH-ES' ? 1 : 5
    const distinct = [0, 1, 2, 3, 4].map((index) => parts(tokens, index))
    expect(distinct).toEqual([header, encryptedKey, 5, 5, 5])
  })

  test('by one agreement have one epk, and a content key and an IV each', async () => {
    const agreement = agreeOn(key)
    const tokens = Array.from({ length: COUNT }, () => seal('text', key, 'A128GCM', { agreement }))
    const distinct = [0, 1, 2, 3, 4].map((index) => parts(tokens, index))
    expect(distinct).toEqual([1, COUNT, COUNT, COUNT, COUNT])
    for (const token of tokens) expect(textOf(token, key)).toBe('text')
    expect(await joseOpen(tokens[0]!, key)).toBe('text')
  })

  test('two agreements have nothing in common', () => {
    const [one, other] = [agreeOn(key), agreeOn(key)]
    expect(one!.epk).not.toEqual(other!.epk)
    expect(one!.wrappingKey.equals(other!.wrappingKey)).toBe(false)
  })

  test.each([
    ['ECDH-ES', 'P-256'],
    ['RSA-OAEP-256', undefined],
  ] as const)('by %s cannot share an agreement', (alg, crv) => {
    expect(agreeOn(keyFor(alg, crv))).toBeUndefined()
  })

  test.each<[string, Partial<Recipient>]>([
    ['another key', { kid: 'another' }],
    ['another algorithm', { alg: 'ECDH-ES+A256KW' }],
    ['direct key agreement', { alg: 'ECDH-ES' }],
  ])('an agreement is not used for %s', (_name, other) => {
    const agreement = agreeOn(key)
    const work = () => seal('text', { ...key, ...other }, 'A128GCM', { agreement })
    expect(faultOf(work)).toBe('The agreement is with another recipient.')
  })
})

describe('refuses a key that the algorithm cannot use:', () => {
  const ed25519 = generateKeyPairSync('ed25519')
  const secp256k1 = generateKeyPairSync('ec', { namedCurve: 'secp256k1' })
  const rsa = (modulusLength: number, publicExponent = 65_537) =>
    generateKeyPairSync('rsa', { modulusLength, publicExponent })
  const sealWith = (alg: TestKey['alg'], publicKey: Recipient['publicKey']) =>
    faultOf(() => seal('text', { kid: 'key', alg, publicKey }, 'A128GCM'))

  test.each(['ECDH-ES', 'ECDH-ES+A128KW', 'ECDH-ES+A256KW'] as const)('%s', (alg) => {
    for (const { publicKey } of [ed25519, secp256k1, keyFor('RSA-OAEP-256', undefined)]) {
      expect(sealWith(alg, publicKey)).toMatch(/^ECDH-ES cannot use the key/)
    }
  })

  test('RSA-OAEP-256', () => {
    const keys = [key, ed25519, rsa(1024), rsa(2048, 3)]
    for (const { publicKey } of keys) {
      expect(sealWith('RSA-OAEP-256', publicKey)).toMatch(
        /^RSA-OAEP-256 cannot use the key: it is /,
      )
    }
  })

  test.each(LOW_ORDER_POINTS)('X25519, the point of low order $x', (point) => {
    const publicKey = createPublicKey({ key: point, format: 'jwk' })
    for (const alg of ['ECDH-ES', 'ECDH-ES+A128KW'] as const) sealWith(alg, publicKey)
    expect.assertions(2)
  })
})

test('a token cannot be opened with another key of the same type', () => {
  const other = createKey('ECDH-ES+A128KW', 'P-256')
  expect(textOf(seal('text', key, 'A128GCM'), key)).toBe('text')
  expect(() => textOf(seal('text', key, 'A128GCM'), other)).toThrow(TokenError)
})
