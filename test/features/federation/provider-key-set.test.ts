import { describe, expect, test } from '@jest/globals'
import { generateKeyPairSync, type JsonWebKey } from 'node:crypto'
import {
  readCertificates,
  readKeySet,
} from '../../../server/features/federation/provider-key-set.ts'
import { certificateOf } from './certificate.ts'
import { jwkOf, makeKey } from './provider.ts'

const NOW = Date.parse('2026-01-01T00:00:00Z')
const WEEK = 7 * 86_400_000
const rsa = makeKey('RS256', 'rsa')
const ec = makeKey('ES256', 'ec')
const algorithms = async (jwk: object, allowed = ['RS256', 'PS256', 'ES256', 'EdDSA'] as const) =>
  (await readKeySet({ keys: [jwk] }, [...allowed])).get('rsa')?.algorithms

const without = (jwk: JsonWebKey, ...names: string[]) =>
  Object.fromEntries(Object.entries(jwk).filter(([name]) => !names.includes(name)))

describe('a key of a JWK Set', () => {
  test.each<[string, object, string[] | undefined]>([
    ['with alg and use', {}, ['RS256']],
    ['with another alg of its type', { alg: 'PS256' }, ['PS256']],
    ['with key_ops verify', { key_ops: ['verify'] }, ['RS256']],
    ['with an alg that is not allowed', { alg: 'RS512' }, undefined],
    ['with an alg of another type', { alg: 'ES256' }, undefined],
    ['for encryption', { use: 'enc' }, undefined],
    ['for wrapping keys', { key_ops: ['wrapKey'] }, undefined],
    ['with key_ops that is not a list', { key_ops: 'verify' }, undefined],
    ['without a kid', { kid: undefined }, undefined],
    ['with a kid that is not a string', { kid: 7 }, undefined],
    ['without a kty', { kty: undefined }, undefined],
    ['with a private member', { d: 'AQAB' }, undefined],
    ['with a damaged modulus', { n: '!' }, undefined],
    ['with exponent 1', { e: 'AQ' }, undefined],
  ])('%s verifies %j: %j', async (_, changes, expected) => {
    expect(await algorithms({ ...jwkOf(rsa), ...changes })).toEqual(expected)
  })

  test('without alg verifies what its type can and the issuer allows', async () => {
    const jwk = without(jwkOf(rsa), 'alg', 'use')
    expect(await algorithms(jwk)).toEqual(['RS256', 'PS256'])
    const { publicKey } = generateKeyPairSync('ed25519')
    const ed = { ...publicKey.export({ format: 'jwk' }), kid: 'rsa' }
    expect(await algorithms(ed)).toEqual(['EdDSA'])
    const { publicKey: small } = generateKeyPairSync('rsa', { modulusLength: 1024 })
    expect(await algorithms({ ...small.export({ format: 'jwk' }), kid: 'rsa' })).toBeUndefined()
    const { publicKey: p384 } = generateKeyPairSync('ec', { namedCurve: 'P-384' })
    expect(await algorithms({ ...p384.export({ format: 'jwk' }), kid: 'rsa' })).toBeUndefined()
  })

  test('that is unusable is skipped, and the first of two with one kid is used', async () => {
    const twin = { ...jwkOf(ec), kid: 'rsa' }
    const keys = [null, 'x', { kty: 'oct', k: 'AAAA', kid: 'secret' }, jwkOf(rsa), twin, jwkOf(ec)]
    const set = await readKeySet({ keys }, ['RS256', 'ES256'])
    expect([...set.keys()]).toEqual(['rsa', 'ec'])
    expect(set.get('rsa')!.key.equals(rsa.publicKey)).toBe(true)
  })
})

test.each([{}, { keys: {} }, { keys: Array.from({ length: 101 }, () => ({})) }])(
  'an invalid or too large JWK Set is refused',
  async (document) => {
    await expect(readKeySet(document, ['RS256'])).rejects.toMatchObject({ name: 'ProviderError' })
  },
)
test('an empty JWK Set has no keys', async () => {
  expect((await readKeySet({ keys: [] }, ['RS256'])).size).toBe(0)
})

describe('a map of certificates', () => {
  test('gives the keys for the algorithms of their type', async () => {
    const document = { rsa: certificateOf(rsa, NOW), ec: certificateOf(ec, NOW) }
    const set = await readCertificates(document, ['RS256', 'ES256'], NOW)
    expect(set.get('rsa')!.key.equals(rsa.publicKey)).toBe(true)
    expect(set.get('rsa')!.algorithms).toEqual(['RS256'])
    expect(set.get('ec')!.algorithms).toEqual(['ES256'])
  })

  test.each([
    [-WEEK - 1000, 0],
    [-WEEK, 1],
    [WEEK - 1000, 1],
    [WEEK, 0],
  ])('%i ms from the middle of its validity has %i valid keys', async (offset, size) => {
    const document = { rsa: certificateOf(rsa, NOW) }
    expect((await readCertificates(document, ['RS256'], NOW + offset)).size).toBe(size)
  })

  test('skips entries that are not certificates or have a key that is not allowed', async () => {
    const pem = rsa.privateKey.export({ type: 'pkcs8', format: 'pem' })
    const document = { a: 'x', b: pem, c: certificateOf(ec, NOW), d: certificateOf(rsa, NOW) }
    expect([...(await readCertificates(document, ['RS256'], NOW)).keys()]).toEqual(['d'])
  })

  test.each([{ a: 7 }, Object.fromEntries(Array.from({ length: 101 }, (_, i) => [i, 'x']))])(
    'that is invalid or too large is refused',
    async (document) => {
      await expect(readCertificates(document, ['RS256'], NOW)).rejects.toMatchObject({
        name: 'ProviderError',
      })
    },
  )
})
