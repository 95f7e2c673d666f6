import {
  createPrivateKey,
  createPublicKey,
  generateKeyPair as generateCallback,
  type ED25519KeyPairOptions,
  type KeyObject,
} from 'node:crypto'
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
  const key = createPrivateKey({ key: privateKey, format: 'der', type: 'pkcs8' })
  return toKeyPair(key, use, algorithmFor(use, algorithms))
}

/**
 * For node:crypto, to generate a key as bytes and not as a KeyObject. Node 20 can hang for good while
 * it exports a generated KeyObject as a JWK, if the garbage collector runs at that moment.
 */
export const AS_DER: ED25519KeyPairOptions<'der', 'der'> = {
  publicKeyEncoding: { type: 'spki', format: 'der' },
  privateKeyEncoding: { type: 'pkcs8', format: 'der' },
}

const generate = promisify(generateCallback)

function generateFor({ kty, crv }: KeyType): Promise<{ privateKey: Buffer }> {
  switch (kty) {
    case 'RSA':
      return generate('rsa', { modulusLength: RSA_MODULUS_BITS.generated, ...AS_DER })
    case 'EC':
      return generate('ec', { namedCurve: crv ?? '', ...AS_DER })
    case 'OKP':
      return crv === 'X25519' ? generate('x25519', AS_DER) : generate('ed25519', AS_DER)
  }
}
