import type { JWK } from 'jose'
import type { KeyType } from '../../protocol/algorithms.ts'
import { pickPublic, thumbprint } from './public-jwk.ts'

/** This client's encryption key. The private key is only for decrypting. */
export interface ClientKey {
  /** RFC 7638 SHA-256 thumbprint, base64url: the `client_id`, and the `kid` of tokens encrypted to it. */
  readonly id: string
  /** Only `kty` and the public members. */
  readonly publicJwk: JWK
  /** Extractable only until it is written to a file: see stores/file-store.ts. */
  readonly privateKey: CryptoKey
}

const RSA = {
  name: 'RSA-OAEP',
  hash: 'SHA-256',
  modulusLength: 2048,
  publicExponent: new Uint8Array([1, 0, 1]),
}

/** Generates a key pair with Web Crypto, for decryption by jose. */
export async function generateClientKey(type: KeyType, extractable = false): Promise<ClientKey> {
  const { crv } = type
  const curve = crv === 'X25519' ? { name: crv } : { name: 'ECDH', namedCurve: crv }
  const { publicKey, privateKey } = (await (crv === undefined
    ? crypto.subtle.generateKey(RSA, extractable, ['encrypt', 'decrypt'])
    : crypto.subtle.generateKey(curve, extractable, ['deriveBits']))) as CryptoKeyPair
  const publicJwk = pickPublic({ ...(await crypto.subtle.exportKey('jwk', publicKey)), ...type })
  return { id: await thumbprint(publicJwk), publicJwk, privateKey }
}

/** Whether a key has the given type. */
export const fits = ({ publicJwk }: ClientKey, { kty, crv }: KeyType): boolean =>
  publicJwk.kty === kty && publicJwk.crv === crv
