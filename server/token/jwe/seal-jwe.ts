import { createPublicKey, KeyObject, randomBytes } from 'node:crypto'
import {
  isWrapping,
  WRAPPING_KEY_LENGTH,
  type EncryptionAlg,
  type EncryptionEnc,
} from '../../../protocol/algorithms.ts'
import type { Binding } from '../../../protocol/binding.ts'
import { CONTENT_ENCRYPTIONS } from './content-encryption.ts'
import { agreeWith, type EphemeralKey, type Jwk } from './ephemeral-key.ts'
import { deriveKey, type DerivedKey } from './key-derivation.ts'
import { encryptKey } from './key-encryption.ts'
import { toWrappingKey, wrapKey } from './key-wrap.ts'

/** The recipient of a JWE: a public encryption key, its thumbprint and its algorithm. */
export interface Recipient {
  readonly kid: string
  readonly alg: EncryptionAlg
  /** A JWK must be valid. An EC key is agreed with as it is, and importing it takes long. */
  readonly publicKey: KeyObject | Jwk
}

/** What a sender and one recipient have agreed on for several JWEs. */
export interface SealingAgreement extends Omit<Recipient, 'publicKey'> {
  readonly epk: EphemeralKey
  /** Wraps the content encryption key of each JWE, which is always fresh. */
  readonly wrappingKey: KeyObject
}

export interface SealOptions {
  /** The `cty` of the header. */
  readonly cty?: string | undefined
  /** The one request that the JWE is for. */
  readonly req?: Binding | undefined
  /** An agreement with this recipient. By default each JWE has its own. */
  readonly agreement?: SealingAgreement | undefined
}

/**
 * Agrees on a key with a recipient (RFC 7518 §4.6), to seal several JWEs for the price of one key
 * agreement. The private half of the ephemeral key is discarded.
 *
 * @returns `undefined` for an algorithm that does not wrap keys, so that each JWE needs its own
 *   agreement.
 * @throws Error for a key that ECDH-ES cannot use.
 */
export function agreeOn({ kid, alg, publicKey }: Recipient): SealingAgreement | undefined {
  if (!isWrapping(alg)) return undefined
  const use = { algorithm: alg, length: WRAPPING_KEY_LENGTH[alg] }
  const { epk, key } = deriveWith(publicKey, use)
  return { kid, alg, epk, wrappingKey: toWrappingKey(key) }
}

/**
 * Encrypts a text to one recipient: a JWE in compact form (RFC 7516 §5.1, §7.1), never compressed.
 *
 * @throws Error for a key that the algorithm cannot use, or an agreement with another recipient,
 *   which are bugs of ours.
 */
export function seal(
  plaintext: string,
  recipient: Recipient,
  enc: EncryptionEnc,
  { cty, req, agreement = agreeOn(recipient) }: SealOptions = {},
): string {
  const { kid, alg } = recipient
  if (agreement !== undefined && (agreement.kid !== kid || agreement.alg !== alg)) {
    throw new Error('The agreement is with another recipient.')
  }
  const { ivLength, encrypt } = CONTENT_ENCRYPTIONS[enc]
  const { contentKey, encryptedKey, epk } = contentKeyFor(recipient, enc, agreement)
  // JSON omits undefined members.
  const head = toBase64url(Buffer.from(JSON.stringify({ alg, enc, kid, cty, epk, req })))
  const iv = randomBytes(ivLength)
  // The header is the additional authenticated data (step 14).
  const aad = Buffer.from(head, 'ascii')
  const { ciphertext, tag } = encrypt(contentKey, iv, aad, Buffer.from(plaintext))
  return [head, ...[encryptedKey, iv, ciphertext, tag].map(toBase64url)].join('.')
}

/** Steps 1 to 8: the content encryption key, and the parts that convey it to the recipient. */
function contentKeyFor(
  { alg, publicKey }: Recipient,
  enc: EncryptionEnc,
  agreement: SealingAgreement | undefined,
) {
  const { keyLength } = CONTENT_ENCRYPTIONS[enc]
  if (agreement !== undefined) {
    const contentKey = randomBytes(keyLength)
    const encryptedKey = wrapKey(agreement.wrappingKey, contentKey)
    return { contentKey, encryptedKey, epk: agreement.epk }
  }
  if (alg === 'RSA-OAEP-256') {
    const contentKey = randomBytes(keyLength)
    return { contentKey, encryptedKey: encryptKey(toKeyObject(publicKey), contentKey) }
  }
  // Direct Key Agreement: the derived key encrypts the content, and there is no encrypted key.
  const { key, epk } = deriveWith(publicKey, { algorithm: enc, length: keyLength })
  return { contentKey: key, encryptedKey: Buffer.alloc(0), epk }
}

/** ECDH-ES with a fresh ephemeral key on the recipient's curve (RFC 7518 §4.6). */
function deriveWith(publicKey: Recipient['publicKey'], use: DerivedKey) {
  const { epk, secret } = agreeWith(toJwk(publicKey))
  return { epk, key: deriveKey(secret, use) }
}

const toJwk = (key: Recipient['publicKey']): Jwk =>
  key instanceof KeyObject ? key.export({ format: 'jwk' }) : key

const toKeyObject = (key: Recipient['publicKey']): KeyObject =>
  key instanceof KeyObject ? key : createPublicKey({ key, format: 'jwk' })

const toBase64url = (bytes: Buffer): string => bytes.toString('base64url')
