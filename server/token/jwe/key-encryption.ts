import { constants, privateDecrypt, publicEncrypt, type KeyObject } from 'node:crypto'
import { mismatch } from '../../keystore/key-type.ts'

/** RSAES-OAEP with SHA-256 and MGF1 with SHA-256 (RFC 7518 §4.3). */
const OAEP = { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' } as const

/**
 * Encrypts a content encryption key with RSA-OAEP-256.
 *
 * @throws Error for a key that is not RSA, or is weak: a fault of ours, which registration excludes.
 */
export function encryptKey(publicKey: KeyObject, contentKey: Buffer): Buffer {
  const fault = faultOf(publicKey)
  if (fault !== undefined) throw new Error(`RSA-OAEP-256 cannot use the key: it is ${fault}.`)
  return publicEncrypt({ key: publicKey, ...OAEP }, contentKey)
}

/**
 * Decrypts a content encryption key with RSA-OAEP-256.
 *
 * @param privateKey One that is not RSA, or is weak, decrypts nothing. A key folder may hold such a key:
 *   an old one.
 * @returns `undefined` if it was not encrypted to this key.
 */
export function decryptKey(privateKey: KeyObject, encryptedKey: Buffer): Buffer | undefined {
  if (faultOf(privateKey) !== undefined) return undefined
  // OpenSSL would also accept a number without leading zeros: another spelling of the same input.
  if (encryptedKey.length !== modulusBytes(privateKey)) return undefined
  try {
    return privateDecrypt({ key: privateKey, ...OAEP }, encryptedKey)
  } catch {
    return undefined
  }
}

/** The length of a ciphertext for an RSA key (RFC 8017 §7.1.2, step 1). */
const modulusBytes = ({ asymmetricKeyDetails }: KeyObject): number =>
  Math.ceil((asymmetricKeyDetails?.modulusLength ?? 0) / 8)

const faultOf = (key: KeyObject): string | undefined => mismatch(key, { kty: 'RSA' })
