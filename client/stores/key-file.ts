import { createPrivateKey, createPublicKey, KeyObject } from 'node:crypto'
import { importJWK, type JWK } from 'jose'
import { AuthError } from '../errors.ts'
import type { ClientKey } from '../token/client-key.ts'
import { thumbprint } from '../token/thumbprint.ts'

/** An extractable private key → an encrypted PKCS #8 PEM (RFC 5958 §3). */
export function sealKeyFile({ privateKey }: ClientKey, passphrase: string): string {
  return KeyObject.from(privateKey)
    .export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase })
    .toString()
}

/** @throws AuthError `store_failed` for a wrong passphrase or a damaged, plain or foreign file. */
export async function openKeyFile(
  pem: string,
  passphrase: string,
  path: string,
): Promise<ClientKey> {
  if (!pem.startsWith('-----BEGIN ENCRYPTED PRIVATE KEY-----')) {
    throw failed(`${path} is not an encrypted private key.`)
  }
  try {
    const key = createPrivateKey({ key: pem, passphrase })
    const publicJwk = createPublicKey(key).export({ format: 'jwk' }) as JWK
    const alg = publicJwk.kty === 'RSA' ? 'RSA-OAEP-256' : 'ECDH-ES'
    const privateKey = await importJWK(key.export({ format: 'jwk' }) as JWK, alg, {
      extractable: false,
    })
    return {
      id: await thumbprint(publicJwk),
      publicJwk,
      privateKey: privateKey as CryptoKey,
    }
  } catch (error) {
    throw failed(`${path} cannot be opened: the passphrase is wrong, or it is damaged.`, error)
  }
}

const failed = (message: string, cause?: unknown) =>
  new AuthError('store_failed', message, { cause })
