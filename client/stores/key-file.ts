import { createPublicKey, KeyObject } from 'node:crypto'
import { decryptPrivateKey } from '../../pkcs8/decrypt-key.ts'
import { encryptPrivateKey } from '../../pkcs8/encrypt-key.ts'
import type { ScryptCost } from '../../pkcs8/scrypt.ts'
import type { ClientKey } from '../keys/client-key.ts'
import { pickPublic, thumbprint } from '../keys/public-jwk.ts'
import { ecdhOn, RSA_OAEP } from '../keys/web-crypto.ts'
import { storeFailed } from './files.ts'

/** Encrypts an extractable private key as a PKCS#8 PEM (RFC 5958 §3). */
export const sealKeyFile = (
  { privateKey }: ClientKey,
  passphrase: string,
  scryptCost?: ScryptCost,
): Promise<string> => encryptPrivateKey(KeyObject.from(privateKey), passphrase, scryptCost)

/**
 * Decrypts a private key from its PEM file.
 *
 * @throws AuthError `store_failed` for a wrong passphrase, or a file that is damaged, unencrypted or of
 *   another kind.
 */
export async function openKeyFile(
  pem: string,
  passphrase: string,
  path: string,
): Promise<ClientKey> {
  if (!pem.startsWith('-----BEGIN ENCRYPTED PRIVATE KEY-----')) {
    throw storeFailed(`${path} is not an encrypted private key.`)
  }
  const key = await decryptPrivateKey(pem, passphrase)
  if (key === undefined) {
    throw storeFailed(`${path} cannot be opened: the passphrase is wrong, or the file is damaged.`)
  }
  try {
    const publicJwk = pickPublic(createPublicKey(key).export({ format: 'jwk' }))
    const jwk = key.export({ format: 'jwk' }) as JsonWebKey
    const privateKey = await (publicJwk.kty === 'RSA'
      ? crypto.subtle.importKey('jwk', jwk, RSA_OAEP, false, ['decrypt'])
      : crypto.subtle.importKey('jwk', jwk, ecdhOn(publicJwk.crv ?? ''), false, ['deriveBits']))
    return { id: await thumbprint(publicJwk), publicJwk, privateKey }
  } catch (error) {
    throw storeFailed(`${path} contains a key that cannot be used for decryption.`, error)
  }
}
