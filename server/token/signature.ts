import {
  constants,
  sign as signBytes,
  verify as verifyBytes,
  type KeyObject,
  type SignKeyObjectInput,
} from 'node:crypto'
import { SIGNING_KEY_TYPES, type SigningAlg } from '../../protocol/algorithms.ts'
import type { KeyPair } from '../keystore/key-pair.ts'
import { mismatch } from '../keystore/key-type.ts'

/** How node:crypto computes the signature of an `alg`. */
interface Signing {
  /** `null` where the algorithm has a hash of its own (RFC 8032). */
  readonly hash: string | null
  readonly options?: Omit<SignKeyObjectInput, 'key'>
}

/** RFC 7518 §3.4: r and s one after the other, not in DER. */
const ecdsa = (hash: string): Signing => ({ hash, options: { dsaEncoding: 'ieee-p1363' } })

/** RFC 7518 §3.5: the salt is as long as the hash. */
const PSS = {
  padding: constants.RSA_PKCS1_PSS_PADDING,
  saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
}

/** Each JWS `alg` → its computation (RFC 7518 §3.3 to §3.5, RFC 8037 §3.1, RFC 9864 §2.2). */
const SIGNINGS: Readonly<Record<SigningAlg, Signing>> = {
  ES256: ecdsa('sha256'),
  ES384: ecdsa('sha384'),
  ES512: ecdsa('sha512'),
  EdDSA: { hash: null },
  Ed25519: { hash: null },
  PS256: { hash: 'sha256', options: PSS },
  RS256: { hash: 'sha256' },
}

/**
 * Signs claims: a JWS in compact form (RFC 7515 §7.1) with `alg`, `kid` and `typ` in its header. It
 * is never sent on its own.
 */
export function sign(claims: object, typ: string, { alg, kid, privateKey }: KeyPair): string {
  const input = [{ alg, kid, typ }, claims].map(toBase64url).join('.')
  const signature = signatureOf(input, alg as SigningAlg, privateKey)
  return `${input}.${signature.toString('base64url')}`
}

const toBase64url = (json: object): string =>
  Buffer.from(JSON.stringify(json)).toString('base64url')

/**
 * Computes the signature of a JWS (RFC 7515 §5.1).
 *
 * jose would use Web Crypto, in another thread. The way there and back takes longer than a signature
 * by ES256.
 *
 * @param input Its first two parts.
 * @param privateKey Of the type that `alg` requires: this is not checked again.
 */
export function signatureOf(input: string, alg: SigningAlg, privateKey: KeyObject): Buffer {
  const { hash, options } = SIGNINGS[alg]
  return signBytes(hash, Buffer.from(input), { key: privateKey, ...options })
}

/**
 * Verifies the signature of a JWS (RFC 7515 §5.2).
 *
 * @param input Its first two parts.
 * @param publicKey A key that is not of the type that `alg` requires verifies no signature. A key
 *   folder may hold such a key: an old one that is too weak.
 * @throws TypeError for a key that is not public, which is a bug of ours.
 */
export function isSignature(
  signature: Buffer,
  input: string,
  alg: SigningAlg,
  publicKey: KeyObject,
): boolean {
  // node:crypto would derive the public key from a private one.
  if (publicKey.type !== 'public') throw new TypeError('Only a public key verifies a JWS.')
  if (mismatch(publicKey, SIGNING_KEY_TYPES[alg]) !== undefined) return false
  const { hash, options } = SIGNINGS[alg]
  return verifyBytes(hash, Buffer.from(input), { key: publicKey, ...options }, signature)
}
