import { describe, expect, test } from '@jest/globals'
import { createCipheriv, generateKeyPairSync, randomBytes } from 'node:crypto'
import { CONTENT_ENCRYPTIONS } from '../../../server/token/jwe/content-encryption.ts'
import { seal } from '../../../server/token/jwe/seal-jwe.ts'
import { base64url, edit, MANGLINGS, withPart } from '../fixtures.ts'
import {
  COMBINATIONS,
  forgeJwe,
  joseOpen,
  KEY_KINDS,
  keyFor,
  LOW_ORDER_POINTS,
  openJwe,
  reasonOf,
  textOf,
} from './fixtures.ts'

const key = keyFor('ECDH-ES+A128KW', 'P-256')
const rsa = keyFor('RSA-OAEP-256', undefined)
const bytesOf = (part: string) => Buffer.from(part, 'base64url')

test('a forgery without changes opens, so those below are refused for their changes', () => {
  for (const [alg, crv] of KEY_KINDS) {
    for (const enc of ['A128GCM', 'A128CBC-HS256'] as const) {
      expect(textOf(forgeJwe(keyFor(alg, crv), enc), keyFor(alg, crv))).toBe('text')
    }
  }
})

/** The slow curves with one enc only, since they do not differ in what matters here. */
const FAST = COMBINATIONS.filter(
  ([, crv, enc]) => (crv !== 'P-384' && crv !== 'P-521') || enc === 'A128GCM',
)

describe.each(FAST)('%s, %s, %s', (alg, crv, enc) => {
  const recipient = keyFor(alg, crv)
  const token = seal('text', recipient, enc)

  test('a changed segment is refused', () => {
    for (const index of [1, 2, 3, 4]) {
      for (const change of MANGLINGS) {
        const changed = withPart(token, index, change)
        if (changed === token) continue
        expect(reasonOf(() => openJwe(changed, recipient))).toBe('decryption')
      }
    }
  })

  test('a truncated or extended tag is refused', () => {
    const { tagLength } = CONTENT_ENCRYPTIONS[enc]
    for (let length = 0; length < tagLength; length++) {
      const short = withPart(token, 4, (tag) => base64url(bytesOf(tag).subarray(0, length)))
      expect(reasonOf(() => openJwe(short, recipient))).toBe('decryption')
    }
    const long = withPart(token, 4, (tag) => base64url(Buffer.concat([bytesOf(tag), bytesOf(tag)])))
    expect(reasonOf(() => openJwe(long, recipient))).toBe('decryption')
  })

  test('a changed header is refused', () => {
    expect(reasonOf(() => openJwe(edit(token, 0, { cty: 'JWT' }), recipient))).toBe('decryption')
  })

  test('a segment of another token is refused', () => {
    const other = seal('text', recipient, enc).split('.')
    // Direct key agreement has no encrypted key to exchange.
    for (const index of alg === 'ECDH-ES' ? [2, 3, 4] : [1, 2, 3, 4]) {
      const mixed = withPart(token, index, () => other[index]!)
      expect(reasonOf(() => openJwe(mixed, recipient))).toBe('decryption')
    }
  })
})

describe('lengths', () => {
  test.each([16, 8, 1, 13])(
    'an IV of %i bytes is refused, even if it was encrypted with',
    (length) => {
      const token = forgeJwe(key, 'A128GCM', { iv: randomBytes(length) })
      expect(reasonOf(() => openJwe(token, key))).toBe('decryption')
    },
  )

  test.each(['ECDH-ES+A128KW', 'RSA-OAEP-256'] as const)(
    'a content key of another length is refused under %s',
    (alg) => {
      const recipient = alg === 'RSA-OAEP-256' ? rsa : key
      for (const [enc, lengths] of [
        ['A128GCM', [24, 32, 64]],
        ['A256GCM', [16, 24, 64]],
        ['A128CBC-HS256', [16, 48, 64]],
      ] as const) {
        for (const length of lengths) {
          const token = forgeJwe(recipient, enc, { wrappedKey: randomBytes(length) })
          expect(reasonOf(() => openJwe(token, recipient))).toBe('decryption')
        }
      }
    },
  )

  test('a valid AES-GCM tag of 12 bytes is refused', () => {
    const contentKey = randomBytes(16)
    const token = forgeJwe(key, 'A128GCM', { contentKey })
    const [head, encryptedKey, iv, ciphertext] = token.split('.')
    const encryption = createCipheriv('aes-128-gcm', contentKey, bytesOf(iv!), {
      authTagLength: 12,
    })
    encryption.setAAD(Buffer.from(head!)).update('text')
    encryption.final()
    const tag = base64url(encryption.getAuthTag())
    const short = [head, encryptedKey, iv, ciphertext, tag].join('.')
    expect(reasonOf(() => openJwe(short, key))).toBe('decryption')
  })

  test('direct key agreement with an encrypted key is refused', () => {
    const direct = keyFor('ECDH-ES', 'P-256')
    const token = forgeJwe(direct, 'A128GCM', { encryptedKey: randomBytes(24) })
    expect(reasonOf(() => openJwe(token, direct))).toBe('decryption')
  })
})

describe('RSA-OAEP-256', () => {
  test('an encrypted key without its leading zeros is refused', async () => {
    // One time in 256.
    for (;;) {
      const token = forgeJwe(rsa, 'A128GCM')
      const bytes = bytesOf(token.split('.')[1]!)
      if (bytes[0] !== 0) continue
      const short = withPart(token, 1, () => base64url(bytes.subarray(1)))
      // OpenSSL opens it, and so does jose: one token would pass for two.
      expect(await joseOpen(short, rsa)).toBe('text')
      expect(reasonOf(() => openJwe(short, rsa))).toBe('decryption')
      return
    }
  })

  test('a weak key of the server opens nothing', () => {
    const weak = { ...rsa, ...generateKeyPairSync('rsa', { modulusLength: 1024 }) }
    const token = forgeJwe(weak, 'A128GCM')
    expect(reasonOf(() => openJwe(token, weak))).toBe('decryption')
  })
})

test.each(KEY_KINDS)('%s, %s: a public key in place of the private one is an error', (alg, crv) => {
  const recipient = keyFor(alg, crv)
  const broken = { ...recipient, privateKey: recipient.publicKey }
  expect(() => openJwe(seal('text', recipient, 'A128GCM'), broken)).toThrow(TypeError)
})

test.each([
  ['an RSA key', 'ECDH-ES+A128KW', rsa],
  ['an RSA key', 'ECDH-ES', rsa],
  ['an EC key', 'RSA-OAEP-256', key],
  ['a signing key', 'ECDH-ES', { ...key, ...generateKeyPairSync('ed25519') }],
] as const)('%s does not open %s', (_name, alg, other) => {
  const token = forgeJwe(keyFor(alg, alg === 'RSA-OAEP-256' ? undefined : 'P-256'), 'A128GCM')
  expect(reasonOf(() => openJwe(token, { ...other, alg }))).toBe('jwe_alg')
})

test.each(LOW_ORDER_POINTS)(
  'a token that anybody can seal with the low-order point $x is refused',
  (epk) => {
    const secret = Buffer.alloc(32)
    for (const alg of ['ECDH-ES', 'ECDH-ES+A128KW', 'ECDH-ES+A256KW'] as const) {
      const recipient = keyFor(alg, 'X25519')
      const token = forgeJwe(recipient, 'A128GCM', { secret, header: (due) => ({ ...due, epk }) })
      expect(reasonOf(() => openJwe(token, recipient))).toBe('epk')
    }
  },
)
