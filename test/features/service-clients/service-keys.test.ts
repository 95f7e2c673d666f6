import { generateKeyPairSync, type JsonWebKey } from 'node:crypto'
import { describe, expect, test } from '@jest/globals'
import { calculateJwkThumbprint } from 'jose'
import type { Algorithms, EncryptionCrv } from '../../../protocol/algorithms.ts'
import { StartupError } from '../../../server/errors/startup-error.ts'
import { checkServiceKeys } from '../../../server/features/service-clients/service-keys.ts'
import { DEFAULTS } from '../../token/fixtures.ts'

type Made = JsonWebKey & { readonly kty: string }
const jwkOf = (key: { export(options: { format: 'jwk' }): JsonWebKey }) =>
  key.export({ format: 'jwk' }) as Made
const ec = (namedCurve = 'P-256') => jwkOf(generateKeyPairSync('ec', { namedCurve }).publicKey)
const rsa = (modulusLength = 2048) => jwkOf(generateKeyPairSync('rsa', { modulusLength }).publicKey)
const [SIG, ENC, RSA, ED25519] = [
  ec(),
  ec(),
  rsa(),
  jwkOf(generateKeyPairSync('ed25519').publicKey),
]
const X25519 = jwkOf(generateKeyPairSync('x25519').publicKey)
const secret = jwkOf(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey)

const sig = { ...SIG, use: 'sig' }
const enc = { ...ENC, use: 'enc' }

/** The problems of a JWK Set. */
async function problems(set: unknown, algorithms: Algorithms = DEFAULTS): Promise<string[]> {
  const error: unknown = await checkServiceKeys(set, algorithms).catch((error: unknown) => error)
  if (error instanceof StartupError) return [...error.problems]
  throw error instanceof Error ? error : new Error('It is accepted.')
}

test('only public members are kept, and each key gets one algorithm', async () => {
  const keys = [
    { ...enc, kid: 'mine', key_ops: [], 'x-own': 1 },
    { ...sig, alg: 'ES256', kid: 'other' },
  ]
  expect(await checkServiceKeys({ keys, more: 1 }, DEFAULTS)).toEqual({
    id: await calculateJwkThumbprint(ENC),
    signingKey: { ...SIG, alg: 'ES256' },
    encryptionKey: { ...ENC, alg: 'ECDH-ES+A128KW' },
  })
})

test.each<[string, object, string]>([
  ['P-384', ec('P-384'), 'ES384'],
  ['P-521', ec('P-521'), 'ES512'],
  ['Ed25519', { ...ED25519, alg: 'Ed25519' }, 'Ed25519'],
  ['Ed25519 with its older name', { ...ED25519, alg: 'EdDSA' }, 'EdDSA'],
  ['RSA', { ...RSA, alg: 'PS256' }, 'PS256'],
  ['RSA with PKCS #1', { ...RSA, alg: 'RS256' }, 'RS256'],
])('a signing key can be %s', async (_, key, alg) => {
  const { signingKey } = await checkServiceKeys({ keys: [{ ...key, use: 'sig' }, enc] }, DEFAULTS)
  expect(signingKey).toEqual({ ...key, alg })
})

test.each<[EncryptionCrv, object]>([
  ['P-384', ec('P-384')],
  ['P-521', ec('P-521')],
  ['X25519', X25519],
])("an encryption key must be on the server's curve: %s", async (encryptionCrv, key) => {
  const keys = [sig, { ...key, use: 'enc' }]
  const { encryptionKey } = await checkServiceKeys({ keys }, { ...DEFAULTS, encryptionCrv })
  expect(encryptionKey).toEqual({ ...key, alg: 'ECDH-ES+A128KW' })
  expect(await problems({ keys })).toEqual([expect.stringMatching('The encryption key is of type')])
})

test('an encryption key can have its own alg, and any curve if the server has an RSA key', async () => {
  const keys = [sig, { ...enc, alg: 'ECDH-ES' }]
  expect((await checkServiceKeys({ keys }, DEFAULTS)).encryptionKey.alg).toBe('ECDH-ES')
  const algorithms: Algorithms = {
    signingAlg: 'ES256',
    encryptionAlg: 'RSA-OAEP-256',
    encryptionEnc: 'A128GCM',
  }
  const okp = [sig, { ...X25519, use: 'enc' }]
  const checked = await checkServiceKeys({ keys: okp }, algorithms)
  expect(checked.encryptionKey).toEqual({ ...X25519, alg: 'ECDH-ES+A128KW' })
  expect(await problems({ keys: [sig, { ...RSA, use: 'enc' }] }, algorithms)).toEqual([
    'The encryption key must be an EC or OKP key: service tokens are key-bound.',
  ])
})

describe('a wrong JWK Set is refused with a sentence:', () => {
  const NO_SET = 'It is not a JWK Set: an object with "keys".'
  const noKey = (index: number) =>
    `Key ${index} is not a JWK with a "kty", and "use": "sig" or "use": "enc".`

  test.each<[string, unknown, (string | RegExp)[]]>([
    ['null', null, [NO_SET]],
    ['a list', [sig, enc], [NO_SET]],
    ['a key alone', sig, [NO_SET]],
    ['keys that are not a list', { keys: sig }, [NO_SET]],
    [
      'no keys',
      { keys: [] },
      [/^It has 0 signing keys .* must have one\.$/, /^It has 0 encryption keys/],
    ],
    ['no signing key', { keys: [enc] }, [/^It has 0 signing keys/]],
    ['no encryption key', { keys: [sig] }, [/^It has 0 encryption keys/]],
    ['two signing keys', { keys: [sig, sig, enc] }, [/^It has 2 signing keys/]],
    ['two encryption keys', { keys: [enc, sig, enc] }, [/^It has 2 encryption keys/]],
    ['a string as a key', { keys: ['x', enc] }, [noKey(1)]],
    ['no use', { keys: [sig, ENC] }, [noKey(2)]],
    ['another use', { keys: [{ ...sig, use: 'tls' }, enc] }, [noKey(1)]],
    ['no kty', { keys: [{ ...sig, kty: undefined }, ENC] }, [noKey(1), noKey(2)]],
    ['one key twice', { keys: [sig, { ...sig, use: 'enc' }] }, [/^The two keys are the same/]],
    [
      'two private keys',
      {
        keys: [
          { ...secret, use: 'sig' },
          { ...enc, d: secret.d },
        ],
      },
      ['The signing key holds private members.', 'The encryption key holds private members.'],
    ],
    [
      'a symmetric key',
      { keys: [{ kty: 'oct', k: 'AAAA', use: 'sig', alg: 'HS256' }, enc] },
      [/^The signing key is symmetric/],
    ],
    [
      'an algorithm of another curve',
      { keys: [{ ...sig, alg: 'ES384' }, enc] },
      ['The signing key must have the "alg" ES256.'],
    ],
    [
      'a symmetric alg',
      { keys: [{ ...sig, alg: 'HS256' }, enc] },
      ['The signing key must have the "alg" ES256.'],
    ],
    [
      'an RSA key without an alg',
      { keys: [{ ...RSA, use: 'sig' }, enc] },
      ['The signing key needs an "alg": PS256 or RS256.'],
    ],
    [
      'a key that cannot sign',
      { keys: [{ ...X25519, use: 'sig' }, enc] },
      [/^The signing key fits none of the accepted algorithms: ES256, /],
    ],
    [
      'an RSA key that is too short',
      { keys: [{ ...rsa(1024), use: 'sig', alg: 'PS256' }, enc] },
      [/^The signing key is an RSA key of 1024 bits/],
    ],
    [
      'an RSA encryption key',
      { keys: [sig, { ...RSA, use: 'enc' }] },
      ['The encryption key must be an EC or OKP key: service tokens are key-bound.'],
    ],
    [
      'an RSA encryption algorithm',
      { keys: [sig, { ...enc, alg: 'RSA-OAEP-256' }] },
      [/^The encryption key must have one of these as its "alg": ECDH-ES\+A128KW, /],
    ],
    [
      'half a point',
      { keys: [sig, { ...enc, y: undefined }] },
      [/^The encryption key is not a public key, or is damaged\.$/],
    ],
    [
      'a point off the curve',
      { keys: [sig, { ...enc, y: SIG.y }] },
      [/^The encryption key is not a public key, or is damaged\.$/],
    ],
    [
      'a point of low order',
      { keys: [sig, { kty: 'OKP', crv: 'X25519', x: 'A'.repeat(43), use: 'enc' }] },
      [/^The encryption key is a point of low order\.$/],
    ],
    [
      'padding',
      { keys: [{ ...sig, x: `${SIG.x}=` }, enc] },
      [/^The signing key has a "x" that is not in the form/],
    ],
  ])('%s', async (_, set, expected) => {
    const found = await problems(set)
    expect(found).toHaveLength(expected.length)
    expected.forEach((problem, index) => {
      if (typeof problem === 'string') expect(found[index]).toBe(problem)
      else expect(found[index]).toMatch(problem)
    })
  })
})
