import { describe, expect, test } from '@jest/globals'
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { generateKeyPair } from '../../server/keystore/key-pair.ts'
import { openServiceKey, openSigningKey } from '../../server/resource-server/service-key.ts'
import { checkServiceUrls } from '../../server/resource-server/service-urls.ts'
import { DEFAULTS } from '../token/fixtures.ts'

const pem = ({ privateKey }: { privateKey: KeyObject }) =>
  privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
const x25519 = generateKeyPairSync('x25519')

describe('the encryption key', () => {
  test('is a fresh one by default', async () => {
    const [one, other] = [await openServiceKey(undefined), await openServiceKey(undefined)]
    expect(one).toMatchObject({ use: 'enc', alg: 'ECDH-ES+A128KW' })
    expect(one.kid).not.toBe(other.kid)
  })

  test.each([
    ['EC', generateKeyPairSync('ec', { namedCurve: 'P-384' }), 'ECDH-ES+A128KW'],
    ['X25519', x25519, 'ECDH-ES+A128KW'],
    ['RSA', generateKeyPairSync('rsa', { modulusLength: 2048 }), 'RSA-OAEP-256'],
  ])('may be a PEM: %s', async (_, pair, alg) => {
    const key = await openServiceKey(pem(pair))
    expect(key).toMatchObject({ use: 'enc', alg, publicJwk: { use: 'enc', alg, kid: key.kid } })
    expect(await openServiceKey(key)).toBe(key)
  })

  test.each<[string, () => unknown, RegExp]>([
    ['a signing key pair', () => generateKeyPair('sig', DEFAULTS), /is for signing/],
    ['text', () => 'key', /openssl genpkey/],
    ['a public key', () => x25519.publicKey.export({ type: 'spki', format: 'pem' }), /not the PEM/],
    ['Ed25519', () => pem(generateKeyPairSync('ed25519')), /of type OKP Ed25519/],
    ['a weak RSA key', () => pem(generateKeyPairSync('rsa', { modulusLength: 1024 })), /1024 bits/],
  ])('is not %s', async (_, key, words) => {
    const opened = openServiceKey((await key()) as string)
    await expect(opened).rejects.toMatchObject({ name: 'StartupError' })
    await expect(opened).rejects.toThrow(words)
  })
})

describe('the signing key', () => {
  test.each([
    ['EC', generateKeyPairSync('ec', { namedCurve: 'P-384' }), 'ES384'],
    ['Ed25519', generateKeyPairSync('ed25519'), 'EdDSA'],
    ['RSA', generateKeyPairSync('rsa', { modulusLength: 2048 }), 'PS256'],
  ])('may be a PEM: %s', async (_, pair, alg) => {
    const key = await openSigningKey(pem(pair))
    expect(key).toMatchObject({ use: 'sig', alg, publicJwk: { use: 'sig', alg, kid: key.kid } })
    expect(await openSigningKey(key)).toBe(key)
  })

  test.each<[string, () => unknown, RegExp]>([
    ['an encryption key pair', () => generateKeyPair('enc', DEFAULTS), /is for encryption/],
    ['text', () => 'key', /The signing key .* openssl genpkey/],
    ['X25519', () => pem(x25519), /not an EC, Ed25519 or RSA key/],
  ])('is not %s', async (_, key, words) => {
    const opened = openSigningKey((await key()) as string)
    await expect(opened).rejects.toMatchObject({ name: 'StartupError' })
    await expect(opened).rejects.toThrow(words)
  })
})

describe('the names', () => {
  test.each([
    ['https://auth.test', 'https://notes.test'],
    ['http://localhost:3000', 'http://localhost:4000'],
    ['http://127.0.0.1:3000', 'http://notes.internal/base'],
    ['http://[::1]:3000', 'https://notes.test'],
  ])('%s and %s are good', (issuer, url) => {
    expect(() => {
      checkServiceUrls(issuer, url)
    }).not.toThrow()
  })

  test.each([
    ['https://auth.test/', 'https://notes.test', /issuer must be an http/],
    ['https://auth.test', 'notes.test', /url must be an http/],
    ['https://auth.test', 'https://notes.test/', /url must be an http/],
    ['http://auth.test', 'https://notes.test', /must be an https URL/],
    ['http://localhost.evil.test', 'https://notes.test', /must be an https URL/],
  ])('%s and %s are not', (issuer, url, words) => {
    expect(() => {
      checkServiceUrls(issuer, url)
    }).toThrow(words)
  })
})
