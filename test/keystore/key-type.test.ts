import { expect, test } from '@jest/globals'
import { createSecretKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import type { KeyType } from '../../server/keystore/algorithms.ts'
import { mismatch, sameKey } from '../../server/keystore/key-type.ts'
import { parsePrivateKey } from '../../server/keystore/pem.ts'
import { ecKey, pkcs8, rsaKey } from './fixtures.ts'

const P256: KeyType = { kty: 'EC', crv: 'P-256' }
const RSA: KeyType = { kty: 'RSA' }

test.each<[string, () => KeyObject, KeyType]>([
  ['EC P-256', ecKey, P256],
  ['EC P-384', () => ecKey('P-384'), { kty: 'EC', crv: 'P-384' }],
  ['EC P-521', () => ecKey('P-521'), { kty: 'EC', crv: 'P-521' }],
  ['OKP Ed25519', () => generateKeyPairSync('ed25519').privateKey, { kty: 'OKP', crv: 'Ed25519' }],
  ['OKP X25519', () => generateKeyPairSync('x25519').privateKey, { kty: 'OKP', crv: 'X25519' }],
  ['RSA', rsaKey, RSA],
])('%s fits itself', (_name, make, type) => {
  expect(mismatch(make(), type)).toBeUndefined()
})

test.each<[string, () => KeyObject, KeyType]>([
  ['of type EC P-384, not EC P-256', () => ecKey('P-384'), P256],
  ['of type EC secp256k1, not EC P-256', () => ecKey('secp256k1'), P256],
  ['of type EC P-256, not RSA', ecKey, RSA],
  ['of type RSA, not EC P-256', rsaKey, P256],
  ['of type ed448, not EC P-256', () => generateKeyPairSync('ed448').privateKey, P256],
  ['of type secret, not RSA', () => createSecretKey(Buffer.alloc(32)), RSA],
  [
    'of type rsa-pss, not RSA',
    () => generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).privateKey,
    RSA,
  ],
  ['an RSA key of 1024 bits, outside 2048 to 8192', () => rsaKey(1024), RSA],
  [
    'an RSA key with another public exponent than 65537',
    () => generateKeyPairSync('rsa', { modulusLength: 2048, publicExponent: 3 }).privateKey,
    RSA,
  ],
])('%s', (expected, make, type) => {
  expect(mismatch(make(), type)).toBe(expected)
})

test('comparing keys of two types disturbs nothing that comes after it', () => {
  const [ec, ed] = [ecKey(), generateKeyPairSync('ed25519').privateKey]
  const pem = pkcs8(ec, 'x')
  expect(sameKey(ec, ed)).toBe(false)
  // What OpenSSL is left to say of the comparison would be taken for a failure to read this.
  expect(parsePrivateKey(pem, 'x').equals(ec)).toBe(true)
})

test('a key is the same as itself with its point compressed', () => {
  const key = ecKey()
  const compressed = parsePrivateKey(withCompressedPoint(key), undefined)
  expect(compressed.export({ format: 'jwk' })).toEqual(key.export({ format: 'jwk' }))
  expect(sameKey(key, compressed)).toBe(true)
})

/** SEC1 (RFC 5915 §3) on P-256, as `openssl ec -conv_form compressed` writes it. */
function withCompressedPoint(key: KeyObject): string {
  const { d, x, y } = key.export({ format: 'jwk' })
  const hex = (part?: string) => Buffer.from(part!, 'base64url').toString('hex')
  const sign = Buffer.from(y!, 'base64url').at(-1)! & 1
  const der =
    `30570201010420${hex(d)}` +
    `a00a06082a8648ce3d030107a124032200${sign === 0 ? '02' : '03'}${hex(x)}`
  const body = Buffer.from(der, 'hex').toString('base64')
  return `-----BEGIN EC PRIVATE KEY-----\n${body}\n-----END EC PRIVATE KEY-----\n`
}

test('a key is the same as itself in another copy, and as no other', () => {
  const key = ecKey()
  expect(sameKey(key, parsePrivateKey(pkcs8(key), undefined))).toBe(true)
  expect(sameKey(key, ecKey())).toBe(false)
  expect(sameKey(key, rsaKey())).toBe(false)
})
