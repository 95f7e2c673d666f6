import { createCipheriv, randomBytes, type KeyObject } from 'node:crypto'
import { encodeEncryptedKey, IV_LENGTH } from './encrypted-key.ts'
import { deriveKey, SCRYPT_COST, type ScryptCost } from './scrypt.ts'

/** Bytes: RFC 8018 §4.1 asks for 8 at least. */
const SALT_LENGTH = 16

/**
 * Encrypts a private key under a passphrase: PKCS#8 PEM (RFC 7468 §11) that `openssl pkey` and
 * node:crypto read. node:crypto itself encrypts with 2,048 rounds of PBKDF2, which are too few.
 */
export async function encryptPrivateKey(
  key: KeyObject,
  passphrase: string,
  scryptCost: ScryptCost = SCRYPT_COST,
): Promise<string> {
  const salt = randomBytes(SALT_LENGTH)
  const iv = randomBytes(IV_LENGTH)
  const secret = await deriveKey(passphrase, salt, scryptCost)
  const cipher = createCipheriv('aes-256-cbc', secret, iv)
  const plaintext = key.export({ type: 'pkcs8', format: 'der' })
  const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final()])
  return toPem(encodeEncryptedKey({ salt, scryptCost, iv, ciphertext }))
}

function toPem(der: Buffer): string {
  const base64 = der.toString('base64').replaceAll(/.{64}(?=.)/g, '$&\n')
  return [
    '-----BEGIN ENCRYPTED PRIVATE KEY-----',
    base64,
    '-----END ENCRYPTED PRIVATE KEY-----',
    '',
  ].join('\n')
}
