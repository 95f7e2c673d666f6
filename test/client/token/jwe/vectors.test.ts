/** The intermediate values that the RFCs publish. */
import { describe, expect, test } from '@jest/globals'
import { ecdhOn, importPublicKey } from '../../../../client/keys/web-crypto.ts'
import { CONTENT_ENCRYPTIONS } from '../../../../client/token/jwe/content-encryption.ts'
import { sharedSecret } from '../../../../client/token/jwe/ephemeral-key.ts'
import { deriveKey, parsePartyInfo } from '../../../../client/token/jwe/key-derivation.ts'
import { importWrappingKey, unwrapKey, wrapKey } from '../../../../client/token/jwe/key-wrap.ts'
import {
  APPENDIX_C,
  CONTENT_VECTORS,
  CURVE_25519,
  KEY_WRAP_VECTORS,
} from '../../../token/jwe/vectors.ts'
import { bytes, importPrivate } from './fixtures.ts'

const { alice, bob, key } = APPENDIX_C
test.each([
  ["Alice's ephemeral and Bob's static", alice, bob],
  ["Bob's static and Alice's ephemeral", bob, alice],
] as const)('RFC 7518, Appendix C, from %s key', async (_name, mine, theirs) => {
  const publicKey = await importPublicKey(theirs, ecdhOn('P-256'), [])
  const secret = await sharedSecret(await importPrivate(mine, 'P-256'), publicKey, 'P-256')
  const party = parsePartyInfo({ apu: 'QWxpY2U', apv: 'Qm9i' })
  const derived = await deriveKey(secret, { algorithm: 'A128GCM', length: 16, ...party })
  expect(derived).toEqual(bytes(key))
})

test('RFC 8037, Appendix A.6', async () => {
  const publicKey = await importPublicKey(CURVE_25519.epk, ecdhOn('X25519'), [])
  const privateKey = await importPrivate(CURVE_25519.bob, 'X25519')
  expect(await sharedSecret(privateKey, publicKey, 'X25519')).toEqual(bytes(CURVE_25519.secret))
})

describe.each(CONTENT_VECTORS)('$name, $enc', ({ enc, ...vector }) => {
  const [key, iv, aad] = [vector.key, vector.iv, vector.aad].map(bytes)
  const encrypted = { ciphertext: bytes(vector.ciphertext), tag: bytes(vector.tag) }
  const { encrypt, decrypt } = CONTENT_ENCRYPTIONS[enc]

  test('encrypts and decrypts to the same bytes', async () => {
    expect(await encrypt(key!, iv!, aad!, bytes(vector.plaintext))).toEqual(encrypted)
    expect(await decrypt(key!, iv!, aad!, encrypted)).toEqual(bytes(vector.plaintext))
  })
})

describe.each(KEY_WRAP_VECTORS)('$name', ({ kek, key, wrapped }) => {
  test('wraps and unwraps to the same bytes', async () => {
    const wrapping = await importWrappingKey(bytes(kek), 'wrapKey')
    expect(await wrapKey(wrapping, bytes(key))).toEqual(bytes(wrapped))
    const unwrapping = await importWrappingKey(bytes(kek), 'unwrapKey')
    expect(await unwrapKey(unwrapping, bytes(wrapped))).toEqual(bytes(key))
  })
})
