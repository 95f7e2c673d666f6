import { expect, test } from '@jest/globals'
import { createSecretKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import type { KeyType } from '../../protocol/algorithms.ts'
import { mismatch } from '../../server/keystore/key-type.ts'
import { ecKey, rsaKey } from './fixtures.ts'

const P256: KeyType = { kty: 'EC', crv: 'P-256' }
const RSA: KeyType = { kty: 'RSA' }

test.each<[string, () => KeyObject, KeyType]>([
  ['EC P-256', ecKey, P256],
  ['EC P-384', () => ecKey('P-384'), { kty: 'EC', crv: 'P-384' }],
  ['EC P-521', () => ecKey('P-521'), { kty: 'EC', crv: 'P-521' }],
  ['OKP Ed25519', () => generateKeyPairSync('ed25519').privateKey, { kty: 'OKP', crv: 'Ed25519' }],
  ['OKP X25519', () => generateKeyPairSync('x25519').privateKey, { kty: 'OKP', crv: 'X25519' }],
  ['RSA', rsaKey, RSA],
])('a key of type %s matches its type', (_name, make, type) => {
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
    'an RSA key with a public exponent other than 65537',
    () => generateKeyPairSync('rsa', { modulusLength: 2048, publicExponent: 3 }).privateKey,
    RSA,
  ],
])('reports a mismatch: %s', (expected, make, type) => {
  expect(mismatch(make(), type)).toBe(expected)
})
