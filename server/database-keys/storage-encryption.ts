import { hkdfSync, randomBytes, type KeyObject } from 'node:crypto'
import { invalid } from '../errors/token-error.ts'
import type { KeyPair } from '../keystore/key-pair.ts'
import { CONTENT_ENCRYPTIONS } from '../token/jwe/content-encryption.ts'

/** RFC 7518 §4.5: the content is encrypted directly with a key that both sides have. */
export const STORAGE_ALG = 'dir'
const ENC = 'A256GCM'
const { keyLength, ivLength, tagLength, encrypt, decrypt } = CONTENT_ENCRYPTIONS[ENC]

/** The `info` of HKDF, so that a key derived for another purpose is a different key. */
const PURPOSE = 'jwe-auth-server storage'
/** Derived only once for each key, because exporting a private key takes longer than decrypting. */
const derived = new WeakMap<KeyObject, Buffer>()

/**
 * The key for stored data, derived from the private half of an encryption key by HKDF (RFC 5869).
 * Somebody with the key folder can derive it, but not somebody with only the database.
 */
function storageKeyOf({ privateKey }: Pick<KeyPair, 'privateKey'>): Buffer {
  let key = derived.get(privateKey)
  if (key === undefined) {
    // Uses `d`, because it has only one spelling (RFC 7518 §6.2.2.1, RFC 8037 §2), unlike a PKCS #8
    // file.
    const { d } = privateKey.export({ format: 'jwk' })
    if (d === undefined) throw new TypeError('Only a private key encrypts for storage.')
    const secret = Buffer.from(d, 'base64url')
    key = Buffer.from(hkdfSync('sha256', secret, Buffer.alloc(0), PURPOSE, keyLength))
    derived.set(privateKey, key)
  }
  return key
}

/** Encrypts a text for the database: a JWE in compact form that only the server itself can open. */
export function sealForStorage(text: string, key: Pick<KeyPair, 'kid' | 'privateKey'>): string {
  const header = JSON.stringify({ alg: STORAGE_ALG, enc: ENC, kid: key.kid })
  const head = Buffer.from(header).toString('base64url')
  const iv = randomBytes(ivLength)
  const sealed = encrypt(storageKeyOf(key), iv, Buffer.from(head), Buffer.from(text))
  const parts = [iv, sealed.ciphertext, sealed.tag].map((part) => part.toString('base64url'))
  return [head, '', ...parts].join('.')
}

/**
 * Decrypts the result of `sealForStorage`.
 *
 * @throws TokenError if it was made with another key, or is damaged.
 */
export function openFromStorage(sealed: string, key: Pick<KeyPair, 'privateKey'>): string {
  const [head = '', encryptedKey, ...parts] = sealed.split('.')
  const [iv, ciphertext, tag] = parts.map((part) => Buffer.from(part, 'base64url'))
  const isShaped = encryptedKey === '' && iv?.length === ivLength && tag?.length === tagLength
  if (!isShaped || ciphertext === undefined) throw invalid('decryption')
  return decrypt(storageKeyOf(key), iv, Buffer.from(head), { ciphertext, tag }).toString()
}
