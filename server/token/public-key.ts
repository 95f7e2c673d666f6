import {
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  KeyObject,
  type JsonWebKey,
  type webcrypto,
} from 'node:crypto'
import { calculateJwkThumbprint, type JWK } from 'jose'
import type { KeyType } from '../../protocol/algorithms.ts'
import { mismatch } from '../keystore/key-type.ts'

/** A public key as it may be handed in: a JWK, an SPKI PEM, or already imported. */
export type PublicKeyInput = JWK | string | KeyObject | webcrypto.CryptoKey

export interface PublicKey {
  /** RFC 7638 SHA-256 thumbprint, base64url. */
  readonly kid: string
  readonly key: KeyObject
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
 * Imports somebody's public key and checks that it is one, whole, and of the required type.
 *
 * @throws PublicKeyError for a private or symmetric key, another type or curve, a point off the
 *   curve or of low order, a weak RSA key, or anything that is no key.
 */
export async function importPublicKey(
  input: PublicKeyInput,
  required: KeyType,
): Promise<PublicKey> {
  const key = toKeyObject(input)
  const fault = mismatch(key, required)
  if (fault !== undefined) throw new PublicKeyError(`is ${fault}`)
  const jwk = key.export({ format: 'jwk' }) as JWK
  if (isJwk(input)) assertSameSpelling(input, jwk)
  return { kid: await calculateJwkThumbprint(jwk), key }
}

function toKeyObject(input: PublicKeyInput): KeyObject {
  if (isJwk(input) && PRIVATE_MEMBERS.some((name) => Object.hasOwn(input, name))) {
    throw new PublicKeyError('holds private members')
  }
  if (isJwk(input) && NUMBERS.some((name) => (input[name]?.length ?? 0) > MAX_MEMBER_LENGTH)) {
    throw new PublicKeyError('has a member that is too long')
  }
  // createPublicKey would quietly take the public half of a private PEM.
  if (typeof input === 'string' && input.includes('PRIVATE KEY')) {
    throw new PublicKeyError('is a private key')
  }
  let key: KeyObject
  try {
    if (input instanceof KeyObject) key = input
    else if (typeof input === 'string') key = createPublicKey(input)
    else if (isJwk(input)) key = createPublicKey({ key: input as JsonWebKey, format: 'jwk' })
    else key = KeyObject.from(input)
  } catch (error) {
    throw isKeyFault(error) ? new PublicKeyError('is not a public key, or is damaged') : error
  }
  if (key.type !== 'public') throw new PublicKeyError(`is a ${key.type} key`)
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

function isJwk(input: PublicKeyInput): input is JWK {
  return typeof input === 'object' && (input as unknown) !== null && Object.hasOwn(input, 'kty')
}

/** One key has one thumbprint only if it has one spelling: no padding, no stray bits, full length. */
function assertSameSpelling(given: JWK, canonical: JWK): void {
  for (const [name, value] of Object.entries(canonical)) {
    if (given[name as keyof JWK] !== value) {
      throw new PublicKeyError(`has a "${name}" that is not in the form of RFC 7518`)
    }
  }
}
