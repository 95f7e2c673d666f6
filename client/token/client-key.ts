import type { JWK } from 'jose'
import type { KeyType } from '../../protocol/algorithms.ts'
import { pickPublic, thumbprint } from './public-jwk.ts'

/** This client's encryption key. The private half is for decrypting and nothing else. */
export interface ClientKey {
  /** RFC 7638 SHA-256 thumbprint, base64url: the `client_id`, and the `kid` of what is encrypted to it. */
  readonly id: string
  /** `kty` and the public members, nothing else. */
  readonly publicJwk: JWK
  /** Not extractable, except on its way into a file: see stores/file-store.ts. */
  readonly privateKey: CryptoKey
}

const RSA = {
  name: 'RSA-OAEP',
  hash: 'SHA-256',
  modulusLength: 2048,
  publicExponent: new Uint8Array([1, 0, 1]),
}

/** A fresh key pair, from Web Crypto, for what jose decrypts with it. */
export async function generateClientKey(type: KeyType, extractable = false): Promise<ClientKey> {
  const { crv } = type
  const curve = crv === 'X25519' ? { name: crv } : { name: 'ECDH', namedCurve: crv }
  const { publicKey, privateKey } = (await (crv === undefined
    ? crypto.subtle.generateKey(RSA, extractable, ['encrypt', 'decrypt'])
    : crypto.subtle.generateKey(curve, extractable, ['deriveBits']))) as CryptoKeyPair
  const publicJwk = pickPublic({ ...(await crypto.subtle.exportKey('jwk', publicKey)), ...type })
  return { id: await thumbprint(publicJwk), publicJwk, privateKey }
}

/** Whether a key is of the type that the server asks for. */
export const fits = ({ publicJwk }: ClientKey, { kty, crv }: KeyType): boolean =>
  publicJwk.kty === kty && publicJwk.crv === crv
