import { expect, test } from '@jest/globals'
import {
  algorithmFor,
  ENCRYPTION_ALGS,
  ENCRYPTION_CRVS,
  ENCRYPTION_ENCS,
  requiredKeyType,
  SIGNING_ALGS,
  type Algorithms,
} from '../../protocol/algorithms.ts'
import { DEFAULTS } from '../keystore/fixtures.ts'

test('no list has an unsigned, symmetric, passphrase-based or weak algorithm', () => {
  const all = [...SIGNING_ALGS, ...ENCRYPTION_ALGS, ...ENCRYPTION_ENCS, ...ENCRYPTION_CRVS]
  expect(
    all.filter((name) => /^none$|^HS|^dir$|^A\d+(GCM)?KW$|^PBES2|^RSA1_5$|^RSA-OAEP$/.test(name)),
  ).toEqual([])
})

test.each([
  ['ES256', { kty: 'EC', crv: 'P-256' }],
  ['ES384', { kty: 'EC', crv: 'P-384' }],
  ['ES512', { kty: 'EC', crv: 'P-521' }],
  ['EdDSA', { kty: 'OKP', crv: 'Ed25519' }],
  ['Ed25519', { kty: 'OKP', crv: 'Ed25519' }],
  ['PS256', { kty: 'RSA' }],
  ['RS256', { kty: 'RSA' }],
] as const)('%s needs a key of type %j', (signingAlg, type) => {
  const algorithms = { ...DEFAULTS, signingAlg }
  expect(requiredKeyType('sig', algorithms)).toEqual(type)
  expect(algorithmFor('sig', algorithms)).toBe(signingAlg)
})

test.each([
  ['P-256', { kty: 'EC', crv: 'P-256' }],
  ['P-384', { kty: 'EC', crv: 'P-384' }],
  ['P-521', { kty: 'EC', crv: 'P-521' }],
  ['X25519', { kty: 'OKP', crv: 'X25519' }],
] as const)('ECDH on %s needs a key of type %j', (encryptionCrv, type) => {
  expect(requiredKeyType('enc', { ...DEFAULTS, encryptionCrv })).toEqual(type)
})

test('RSA-OAEP-256 needs an RSA key', () => {
  const { signingAlg, encryptionEnc } = DEFAULTS
  const algorithms: Algorithms = { signingAlg, encryptionEnc, encryptionAlg: 'RSA-OAEP-256' }
  expect(requiredKeyType('enc', algorithms)).toEqual({ kty: 'RSA' })
  expect(algorithmFor('enc', algorithms)).toBe('RSA-OAEP-256')
})
