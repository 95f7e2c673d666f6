import { beforeAll, expect, test } from '@jest/globals'
import { generateKeyPair, type KeyPair } from '../../server/keystore/key-pair.ts'
import { findIntrospection } from '../../server/resource-server/introspection-target.ts'
import { DEFAULTS } from '../token/fixtures.ts'
import { ISSUER } from './fixtures.ts'

const METADATA = {
  introspection_endpoint: `${ISSUER}/introspect`,
  access_token_encryption_enc_values_supported: ['A256GCM', 'of the future'],
}

let sig: KeyPair
let current: KeyPair
let previous: KeyPair
let rsa: KeyPair
beforeAll(async () => {
  sig = await generateKeyPair('sig', DEFAULTS)
  current = await generateKeyPair('enc', DEFAULTS)
  previous = await generateKeyPair('enc', { ...DEFAULTS, encryptionCrv: 'X25519' })
  const { signingAlg, encryptionEnc } = DEFAULTS
  rsa = await generateKeyPair('enc', { signingAlg, encryptionAlg: 'RSA-OAEP-256', encryptionEnc })
})

const find = (metadata: object, ...keys: unknown[]) => findIntrospection(ISSUER, metadata, keys)

test('the first encryption key is the one to encrypt to', async () => {
  const keys = [sig, current, previous].map(({ publicJwk }) => publicJwk)
  expect(await find(METADATA, ...keys)).toMatchObject({
    endpoint: `${ISSUER}/introspect`,
    enc: 'A256GCM',
    recipient: { kid: current.kid, alg: current.alg },
  })
})

test('the encryption key may be on any curve, or RSA', async () => {
  for (const { kid, alg, publicJwk } of [previous, rsa]) {
    expect((await find(METADATA, publicJwk))?.recipient).toMatchObject({ kid, alg })
  }
})

test.each<[string, object, (jwk: object) => unknown[]]>([
  ['no endpoint', { introspection_endpoint: undefined }, (jwk) => [jwk]],
  ['an endpoint elsewhere', { introspection_endpoint: 'https://evil.test/' }, (jwk) => [jwk]],
  [
    'no content encryption of ours',
    { access_token_encryption_enc_values_supported: ['x'] },
    (jwk) => [jwk],
  ],
  ['no key', {}, () => []],
  ['a key that is not an object', {}, () => ['x']],
  ['a kid that is not the thumbprint', {}, (jwk) => [{ ...jwk, kid: 'x' }]],
  ['a point off the curve', {}, (jwk) => [{ ...jwk, x: 'AAAA' }]],
  ['an unknown curve', {}, (jwk) => [{ ...jwk, crv: 'secp256k1' }]],
])('finds no target with %s', async (_, changes, keysOf) => {
  const metadata = { ...METADATA, ...changes }
  expect(await find(metadata, ...keysOf(current.publicJwk))).toBeUndefined()
})
