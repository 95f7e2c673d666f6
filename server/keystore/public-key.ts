import {
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  type JsonWebKey,
  type KeyObject,
} from 'node:crypto'
import { calculateJwkThumbprint, type JWK } from 'jose'
import type { KeyType } from '../../protocol/algorithms.ts'
import { mismatch } from './key-type.ts'

export interface PublicKey {
  /** RFC 7638 SHA-256 thumbprint, base64url. */
  readonly kid: string
  readonly publicKey: KeyObject
}

/** A key that cannot be used. Its message finishes the sentence "the key …" and quotes nothing of it. */
export class PublicKeyError extends Error {
  readonly code = 'public_key_unusable'
}

/**
 * Characters of a member that is a number: the modulus of the largest RSA key that is accepted has
 * 1366. Node takes quadratic time to read an exponent.
 */
const MAX_MEMBER_LENGTH = 1366
const NUMBERS = ['n', 'e', 'x', 'y'] as const
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']

/**
 * Imports somebody's public key from a JWK and checks that it is one, whole, and of the required type.
 *
 * @throws PublicKeyError for a private or symmetric key, another type or curve, a point off the
 *   curve or of low order, a weak RSA key, or anything that is no key.
 */
export async function importPublicKey(jwk: JWK, required: KeyType): Promise<PublicKey> {
  if (PRIVATE_MEMBERS.some((name) => Object.hasOwn(jwk, name))) {
    throw new PublicKeyError('holds private members')
  }
  if (NUMBERS.some((name) => (jwk[name]?.length ?? 0) > MAX_MEMBER_LENGTH)) {
    throw new PublicKeyError('has a member that is too long')
  }
  const publicKey = toKeyObject(jwk)
  const fault = mismatch(publicKey, required)
  if (fault !== undefined) throw new PublicKeyError(`is ${fault}`)
  const canonical = publicKey.export({ format: 'jwk' }) as JWK
  assertSameSpelling(jwk, canonical)
  return { kid: await calculateJwkThumbprint(canonical), publicKey }
}

function toKeyObject(jwk: JWK): KeyObject {
  let key: KeyObject
  try {
    key = createPublicKey({ key: jwk as JsonWebKey, format: 'jwk' })
  } catch (error) {
    throw isKeyFault(error) ? new PublicKeyError('is not a public key, or is damaged') : error
  }
  if (key.asymmetricKeyType === 'x25519') assertAgreement(key)
  return key
}

/** RFC 7748 §6.1: a point of low order gives everybody the same secret, and OpenSSL refuses to. */
function assertAgreement(publicKey: KeyObject): void {
  const { privateKey } = generateKeyPairSync('x25519')
  try {
    diffieHellman({ privateKey, publicKey })
  } catch (error) {
    throw isKeyFault(error) ? new PublicKeyError('is a point of low order') : error
  }
}

/** Node's and OpenSSL's complaints about a key have a code. A bug, or a lack of memory, has none. */
const isKeyFault = (error: unknown): boolean =>
  typeof (error as NodeJS.ErrnoException).code === 'string'

/** One key has one thumbprint only if it has one spelling: no padding, no stray bits, full length. */
function assertSameSpelling(given: JWK, canonical: JWK): void {
  for (const [name, value] of Object.entries(canonical)) {
    if (given[name as keyof JWK] !== value) {
      throw new PublicKeyError(`has a "${name}" that is not in the form of RFC 7518`)
    }
  }
}
