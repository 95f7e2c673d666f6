import { createPublicKey, generateKeyPair as generate, type KeyObject } from 'node:crypto'
import { promisify } from 'node:util'
import { calculateJwkThumbprint, type JWK } from 'jose'
import {
  algorithmFor,
  requiredKeyType,
  RSA_MODULUS_BITS,
  type Algorithms,
  type EncryptionAlg,
  type KeyType,
  type KeyUse,
  type SigningAlg,
} from '../../protocol/algorithms.ts'

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
  const { privateKey } = await generateFor(requiredKeyType(use, algorithms))
  return toKeyPair(privateKey, use, algorithmFor(use, algorithms))
}

function generateFor({ kty, crv }: KeyType): Promise<{ privateKey: KeyObject }> {
  switch (kty) {
    case 'RSA':
      return promisify(generate)('rsa', { modulusLength: RSA_MODULUS_BITS.generated })
    case 'EC':
      return promisify(generate)('ec', { namedCurve: crv ?? '' })
    case 'OKP':
      return crv === 'X25519' ? promisify(generate)('x25519') : promisify(generate)('ed25519')
  }
}
