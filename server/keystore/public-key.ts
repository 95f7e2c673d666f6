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

/**
 * A key that cannot be used. The message completes the sentence "the key …" and quotes nothing of
 * it.
 */
export class PublicKeyError extends Error {
  readonly code = 'public_key_unusable'
}

/**
 * The most characters of a numeric member: as many as the modulus of the largest accepted RSA key.
 * The limit is needed because Node takes quadratic time to read an exponent.
 */
const MAX_MEMBER_LENGTH = 1366
const NUMBERS = ['n', 'e', 'x', 'y'] as const
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']

/**
 * Imports a public key from a JWK, and checks that it is valid and of the required type.
 *
 * @returns The key and its RFC 7638 SHA-256 thumbprint, base64url.
 * @throws PublicKeyError for a private or symmetric key, another type or curve, a point off the
 *   curve or of low order, a weak RSA key, or anything that is not a key.
 */
export async function importPublicKey(jwk: JWK, required: KeyType) {
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

/** RFC 7748 §6.1: a point of low order gives the same secret with every key. OpenSSL refuses it. */
function assertAgreement(publicKey: KeyObject): void {
  const { privateKey } = generateKeyPairSync('x25519')
  try {
    diffieHellman({ privateKey, publicKey })
  } catch (error) {
    throw isKeyFault(error) ? new PublicKeyError('is a point of low order') : error
  }
}

/** Errors of Node and OpenSSL about a key have a code. Bugs and a lack of memory have none. */
const isKeyFault = (error: unknown): boolean =>
  typeof (error as NodeJS.ErrnoException).code === 'string'

/**
 * A key has only one thumbprint if it has only one spelling: no padding, stray bits or missing
 * zeros.
 */
function assertSameSpelling(given: JWK, canonical: JWK): void {
  for (const [name, value] of Object.entries(canonical)) {
    if (given[name as keyof JWK] !== value) {
      throw new PublicKeyError(`has a "${name}" that is not in the form of RFC 7518`)
    }
  }
}
