import { describe, expect, test } from '@jest/globals'
import { calculateJwkThumbprint } from 'jose'
import {
  ENCRYPTION_CRVS,
  SIGNING_ALGS,
  type Algorithms,
  type KeyUse,
} from '../../protocol/algorithms.ts'
import { generateKeyPair, toKeyPair } from '../../server/keystore/key-pair.ts'
import { DEFAULTS, ecKey, RSA_ENCRYPTION } from './fixtures.ts'

const CASES: [string, KeyUse, Algorithms][] = [
  ...SIGNING_ALGS.map((signingAlg): [string, KeyUse, Algorithms] => [
    ...([signingAlg, 'sig', { ...DEFAULTS, signingAlg }] as const),
  ]),
  ...ENCRYPTION_CRVS.map((encryptionCrv): [string, KeyUse, Algorithms] => [
    ...([encryptionCrv, 'enc', { ...DEFAULTS, encryptionCrv }] as const),
  ]),
  ['RSA-OAEP-256', 'enc', RSA_ENCRYPTION],
]

describe.each(CASES)('a key for %s', (_name, use, algorithms) => {
  const made = generateKeyPair(use, algorithms)

  test('is named by its RFC 7638 thumbprint', async () => {
    const { kid, publicKey } = await made
    expect(kid).toBe(await calculateJwkThumbprint(publicKey.export({ format: 'jwk' })))
    expect(kid).toMatch(/^[\w-]{43}$/)
  })

  test('is published with its kid, use and algorithm, and nothing private', async () => {
    const { kid, alg, publicJwk } = await made
    expect(publicJwk).toMatchObject({ kid, use, alg })
    const members = new Set(['kty', 'crv', 'x', 'y', 'n', 'e', 'kid', 'use', 'alg'])
    expect(Object.keys(publicJwk).filter((name) => !members.has(name))).toEqual([])
  })

  test('is different every time', async () => {
    expect((await generateKeyPair(use, algorithms)).kid).not.toBe((await made).kid)
  })
})

test('RSA keys have 2048 bits and the usual exponent', async () => {
  const { privateKey } = await generateKeyPair('sig', { ...DEFAULTS, signingAlg: 'PS256' })
  expect(privateKey.asymmetricKeyDetails).toMatchObject({
    modulusLength: 2048,
    publicExponent: 65_537n,
  })
})

test('a key pair cannot be changed', async () => {
  const pair = await toKeyPair(ecKey(), 'sig', 'ES256')
  expect(Object.isFrozen(pair)).toBe(true)
  expect(Object.isFrozen(pair.publicJwk)).toBe(true)
})

test('the same private key has the same kid for any use', async () => {
  const key = ecKey()
  const [one, other] = [
    await toKeyPair(key, 'sig', 'ES256'),
    await toKeyPair(key, 'enc', 'ECDH-ES'),
  ]
  expect(other.kid).toBe(one.kid)
})
