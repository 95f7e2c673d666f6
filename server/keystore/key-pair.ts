import { createPublicKey, type KeyObject } from 'node:crypto'
import { calculateJwkThumbprint, type JWK } from 'jose'
import {
  algorithmFor,
  requiredKeyType,
  type Algorithms,
  type EncryptionAlg,
  type KeyUse,
  type SigningAlg,
} from '../../protocol/algorithms.ts'
import { generateKey } from './generate-key.ts'

/** One of the server's own keys. */
export interface KeyPair<Alg extends SigningAlg | EncryptionAlg = SigningAlg | EncryptionAlg> {
  /** RFC 7638 SHA-256 thumbprint, base64url. */
  readonly kid: string
  readonly use: KeyUse
  /** The only algorithm that this key is ever used with (RFC 8725 §3.1). */
  readonly alg: Alg
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
  /** The published form: the public members, `kid`, `use` and `alg`. */
  readonly publicJwk: JWK
}

/** Makes a key pair of a private key. The caller has checked that the key fits `alg`. */
export async function toKeyPair(
  privateKey: KeyObject,
  use: KeyUse,
  alg: KeyPair['alg'],
): Promise<KeyPair> {
  const publicKey = createPublicKey(privateKey)
  const jwk = publicKey.export({ format: 'jwk' }) as JWK
  const kid = await calculateJwkThumbprint(jwk)
  return Object.freeze({
    kid,
    use,
    alg,
    privateKey,
    publicKey,
    publicJwk: Object.freeze({ ...jwk, kid, use, alg }),
  })
}

/** Generates a key pair of the type that the configured algorithms require for a use. */
export async function generateKeyPair(use: KeyUse, algorithms: Algorithms): Promise<KeyPair> {
  const key = await generateKey(requiredKeyType(use, algorithms))
  return toKeyPair(key, use, algorithmFor(use, algorithms))
}
