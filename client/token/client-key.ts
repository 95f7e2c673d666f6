import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK } from 'jose'
import type { KeyType } from './algorithms.ts'

/** This client's encryption key. The private half is for decrypting and nothing else. */
export interface ClientKey {
  /** RFC 7638 SHA-256 thumbprint, base64url: the `client_id`, and the `kid` of what is encrypted to it. */
  readonly id: string
  /** `kty` and the public members, nothing else. */
  readonly publicJwk: JWK
  /** Not extractable, except on its way into a file: see stores/file-store.ts. */
  readonly privateKey: CryptoKey
}

/** A fresh key pair, from Web Crypto. */
export async function generateClientKey(type: KeyType, extractable = false): Promise<ClientKey> {
  const { publicKey, privateKey } =
    type.crv === undefined
      ? await generateKeyPair('RSA-OAEP-256', { extractable })
      : await generateKeyPair('ECDH-ES', { crv: type.crv, extractable })
  const publicJwk = await exportJWK(publicKey)
  return { id: await calculateJwkThumbprint(publicJwk), publicJwk, privateKey }
}

/** Whether a key is of the type that the server asks for. */
export const fits = ({ publicJwk }: ClientKey, { kty, crv }: KeyType): boolean =>
  publicJwk.kty === kty && publicJwk.crv === crv
