import { createDecipheriv, createPrivateKey, type KeyObject } from 'node:crypto'
import { decodeEncryptedKey } from './encrypted-key.ts'
import { deriveKey, isValidCost } from './scrypt.ts'

const ENCRYPTED = /-----BEGIN ENCRYPTED PRIVATE KEY-----([^-]*)-----END ENCRYPTED PRIVATE KEY-----/

/**
 * Opens an encrypted private key: PKCS#8 PEM as `encryptPrivateKey` writes it, without holding up
 * the event loop, or in any other encryption that OpenSSL knows, all at once.
 *
 * @returns `undefined` for a wrong passphrase or a damaged text.
 */
export async function decryptPrivateKey(
  pem: string,
  passphrase: string,
): Promise<KeyObject | undefined> {
  const encrypted = decodeEncryptedKey(Buffer.from(ENCRYPTED.exec(pem)?.[1] ?? '', 'base64'))
  if (encrypted === undefined || !isValidCost(encrypted.scryptCost)) {
    return importKey({ key: pem, passphrase })
  }
  const { salt, scryptCost, iv, ciphertext } = encrypted
  const der = decipher(await deriveKey(passphrase, salt, scryptCost), iv, ciphertext)
  return der && importKey({ key: der, format: 'der', type: 'pkcs8' })
}

function decipher(key: Buffer, iv: Uint8Array, ciphertext: Uint8Array): Buffer | undefined {
  const decipher = createDecipheriv('aes-256-cbc', key, iv)
  const start = decipher.update(ciphertext)
  try {
    return Buffer.concat([start, decipher.final()])
  } catch {
    // The padding tells a wrong key 255 times in 256; the import below tells the rest.
    return undefined
  }
}

function importKey(input: Parameters<typeof createPrivateKey>[0]): KeyObject | undefined {
  try {
    return createPrivateKey(input)
  } catch {
    return undefined
  }
}
