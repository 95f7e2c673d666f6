import { describe, expect, test } from '@jest/globals'
import { createCipheriv, createHmac, randomBytes } from 'node:crypto'
import { ENCRYPTION_ENCS } from '../../../protocol/algorithms.ts'
import { CONTENT_ENCRYPTIONS } from '../../../server/token/jwe/content-encryption.ts'
import { reasonOf } from './fixtures.ts'
import { CONTENT_VECTORS } from './vectors.ts'

describe.each(CONTENT_VECTORS)(
  '$name, $enc',
  ({ enc, key, iv, aad, plaintext, ciphertext, tag }) => {
    const { encrypt, decrypt } = CONTENT_ENCRYPTIONS[enc]

    test('encrypts to the same bytes', () => {
      expect(encrypt(key, iv, aad, plaintext)).toEqual({ ciphertext, tag })
    })

    test('decrypts to the same bytes', () => {
      expect(decrypt(key, iv, aad, { ciphertext, tag })).toEqual(plaintext)
    })
  },
)

test('the four have the lengths of RFC 7518 §5.2 and §5.3', () => {
  const lengths = ENCRYPTION_ENCS.map((enc) => {
    const { keyLength, ivLength, tagLength } = CONTENT_ENCRYPTIONS[enc]
    return [enc, keyLength, ivLength, tagLength]
  })
  expect(lengths).toEqual([
    ['A128GCM', 16, 12, 16],
    ['A256GCM', 32, 12, 16],
    ['A128CBC-HS256', 32, 16, 16],
    ['A256CBC-HS512', 64, 16, 32],
  ])
})

describe.each(ENCRYPTION_ENCS)('%s', (enc) => {
  const { keyLength, ivLength, encrypt, decrypt } = CONTENT_ENCRYPTIONS[enc]
  const key = randomBytes(keyLength)
  const iv = randomBytes(ivLength)
  const aad = Buffer.from('header')

  test.each([0, 1, 15, 16, 17, 5000])('encrypts and decrypts %i bytes', (length) => {
    const plaintext = randomBytes(length)
    expect(decrypt(key, iv, aad, encrypt(key, iv, aad, plaintext))).toEqual(plaintext)
  })

  test('every changed bit is refused, in any input', () => {
    const { ciphertext, tag } = encrypt(key, iv, aad, Buffer.from('text'))
    const inputs = { iv, aad, ciphertext, tag }
    for (const [name, bytes] of Object.entries(inputs)) {
      for (let bit = 0; bit < bytes.length * 8; bit++) {
        const changed = Buffer.from(bytes)
        changed[bit >> 3]! ^= 1 << (bit & 7)
        const given = { ...inputs, [name]: changed }
        const refused = reasonOf(() => decrypt(key, given.iv, given.aad, given))
        expect({ name, bit, refused }).toEqual({ name, bit, refused: 'decryption' })
      }
    }
  })

  test('another key is refused', () => {
    const encrypted = encrypt(key, iv, aad, Buffer.from('text'))
    const other = randomBytes(keyLength)
    expect(reasonOf(() => decrypt(other, iv, aad, encrypted))).toBe('decryption')
  })

  test('a tag of another length throws, even if the caller lets it through', () => {
    const { ciphertext, tag } = encrypt(key, iv, aad, Buffer.from('text'))
    for (const length of [0, 1, 4, 8, 12, tag.length - 1]) {
      expect(() => decrypt(key, iv, aad, { ciphertext, tag: tag.subarray(0, length) })).toThrow()
    }
  })

  test('a header that is followed by a byte of the IV is refused', () => {
    const { ciphertext, tag } = encrypt(key, iv, aad, randomBytes(64))
    const moved = Buffer.concat([aad, iv]).subarray(0, aad.length + 1)
    expect(reasonOf(() => decrypt(key, iv, moved, { ciphertext, tag }))).toBe('decryption')
  })
})

describe('A128CBC-HS256 with a valid tag', () => {
  const { decrypt } = CONTENT_ENCRYPTIONS['A128CBC-HS256']
  const key = randomBytes(32)
  const iv = randomBytes(16)
  const aad = Buffer.from('header')
  /** Only a holder of the key can make these, and the refusal is still the same. */
  const tagOf = (ciphertext: Buffer) =>
    createHmac('sha256', key.subarray(0, 16))
      .update(Buffer.concat([aad, iv, ciphertext, Buffer.from([0, 0, 0, 0, 0, 0, 0, 48])]))
      .digest()
      .subarray(0, 16)
  const badlyPadded = createCipheriv('aes-128-cbc', key.subarray(16), iv)
    .setAutoPadding(false)
    .update(Buffer.alloc(16))

  test.each([
    ['an empty ciphertext', Buffer.alloc(0)],
    ['part of a block', Buffer.alloc(15)],
    ['a block with bad padding', badlyPadded],
  ])('%s is refused', (_name, ciphertext) => {
    const encrypted = { ciphertext, tag: tagOf(ciphertext) }
    expect(reasonOf(() => decrypt(key, iv, aad, encrypted))).toBe('decryption')
  })
})
