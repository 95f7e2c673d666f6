import { createDecipheriv, createPrivateKey, type KeyObject } from 'node:crypto'
import { decodeEncryptedKey } from './encrypted-key.ts'
import { deriveKey, isValidCost } from './scrypt.ts'

const ENCRYPTED = /-----BEGIN ENCRYPTED PRIVATE KEY-----([^-]*)-----END ENCRYPTED PRIVATE KEY-----/

/**
 * Decrypts a private key from PKCS#8 PEM. The format of `encryptPrivateKey` does not block the
 * event loop; other encryptions that OpenSSL supports do.
 *
 * @returns `undefined` if the passphrase is wrong or the text is damaged.
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
    // Bad padding reveals a wrong key 255 times in 256. Importing the key reveals the rest.
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
