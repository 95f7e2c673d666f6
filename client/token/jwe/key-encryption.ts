import type { Bytes } from '../../bytes.ts'
import type { PublicJwk } from '../../keys/public-jwk.ts'
import { importPublicKey, RSA_OAEP } from '../../keys/web-crypto.ts'

/**
 * Encrypts a content encryption key with RSA-OAEP-256.
 *
 * @throws DOMException `DataError` for a key that is not RSA, or is weak.
 */
export async function encryptKey(recipient: PublicJwk, contentKey: Bytes): Promise<Bytes> {
  const key = await importPublicKey(recipient, RSA_OAEP, ['encrypt'])
  return new Uint8Array(await crypto.subtle.encrypt(RSA_OAEP, key, contentKey))
}

/**
 * Decrypts a content encryption key with RSA-OAEP-256.
 *
 * @param length Bytes of the content encryption key.
 * @throws DOMException `OperationError` if it was not encrypted to this key.
 */
export async function decryptKey(
  privateKey: CryptoKey,
  encryptedKey: Bytes,
  length: number,
): Promise<Bytes> {
  // OpenSSL would also accept a number without leading zeros: another spelling of the same input.
  const { modulusLength } = privateKey.algorithm as RsaHashedKeyAlgorithm
  if (encryptedKey.length * 8 !== modulusLength) {
    throw new DOMException('The encrypted key has another length.', 'OperationError')
  }
  const key = new Uint8Array(await crypto.subtle.decrypt(RSA_OAEP, privateKey, encryptedKey))
  if (key.length >= length) return key
  // WebKitGTK 2.50 drops leading zeros: one key in 256 came out a byte too short.
  const whole = new Uint8Array(length)
  whole.set(key, length - key.length)
  return whole
}
