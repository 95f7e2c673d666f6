import { randomBytes, type KeyObject } from 'node:crypto'
import {
  isWrapping,
  WRAPPING_KEY_LENGTH,
  type EncryptionAlg,
  type EncryptionEnc,
  type WrappingAlg,
} from '../../../protocol/algorithms.ts'
import { curveOf } from '../../keystore/key-type.ts'
import { invalid } from '../../errors/token-error.ts'
import type { Agreement, KnownAgreements } from './known-agreements.ts'
import { CONTENT_ENCRYPTIONS } from './content-encryption.ts'
import { sharedSecret, parseEphemeralKey } from './ephemeral-key.ts'
import { deriveKey, parsePartyInfo } from './key-derivation.ts'
import { decryptKey } from './key-encryption.ts'
import { toWrappingKey, unwrapKey } from './key-wrap.ts'

/** A compact JWS or JWE, taken apart. */
export interface Compact {
  /** The first part as it was sent. */
  readonly head: string
  /** The first part parsed: the protected header. */
  readonly header: Readonly<Record<string, unknown>>
  /** The bytes of the other parts. */
  readonly parts: readonly Buffer[]
}

/** A private key that opens JWEs, bound to its one algorithm. */
export interface OpeningKey {
  /** RFC 7638 SHA-256 thumbprint, base64url. */
  readonly kid: string
  readonly alg: EncryptionAlg
  readonly privateKey: KeyObject
}

type Header = Compact['header']

/**
 * Decrypts a JWE in compact form (RFC 7516 §5.2).
 *
 * @param compact Five parts, taken apart. The caller has compared the `alg` of its header with the key's,
 *   and its `enc` with `enc`.
 * @param agreements Known agreements, which save a key agreement.
 * @returns The plaintext, and the agreement that opened the JWE, to be remembered once everything else
 *   has been checked.
 * @throws TokenError if it does not decrypt under this key. TypeError for a key that is not
 *   private, which is a bug of ours.
 */
export function open(
  compact: Compact,
  key: OpeningKey,
  enc: EncryptionEnc,
  agreements?: KnownAgreements,
) {
  if (key.privateKey.type !== 'private') throw new TypeError('Only a private key opens a JWE.')
  const { head, header, parts } = compact
  const [encryptedKey, iv, ciphertext, tag] = parts as [Buffer, Buffer, Buffer, Buffer]
  const { ivLength, tagLength, decrypt } = CONTENT_ENCRYPTIONS[enc]
  if (iv.length !== ivLength || tag.length !== tagLength) throw invalid('decryption')
  const { contentKey, agreement } = contentKeyOf(encryptedKey, header, key, enc, agreements)
  // The additional authenticated data is the header as it was sent (step 15).
  const plaintext = decrypt(contentKey, iv, Buffer.from(head, 'ascii'), { ciphertext, tag })
  return { plaintext, agreement }
}

/** Steps 6 to 10: the content encryption key, by the key management mode of the key's `alg`. */
function contentKeyOf(
  encryptedKey: Buffer,
  header: Header,
  { kid, alg, privateKey }: OpeningKey,
  enc: EncryptionEnc,
  agreements: KnownAgreements | undefined,
) {
  const { keyLength } = CONTENT_ENCRYPTIONS[enc]
  if (alg === 'RSA-OAEP-256') {
    if (privateKey.asymmetricKeyType !== 'rsa') throw invalid('jwe_alg')
    return { contentKey: orRandom(decryptKey(privateKey, encryptedKey), keyLength) }
  }
  if (isWrapping(alg)) {
    const agreement = agreementOf(header, { kid, alg, privateKey }, agreements)
    const contentKey = unwrapKey(agreement.wrappingKey, encryptedKey)
    return { contentKey: orRandom(contentKey, keyLength), agreement }
  }
  // Direct Key Agreement has no encrypted key (step 10).
  if (encryptedKey.length > 0) throw invalid('decryption')
  const epk = parseEphemeralKey(header['epk'], curveFor(privateKey))
  const use = { algorithm: enc, length: keyLength, ...parsePartyInfo(header) }
  return { contentKey: deriveKey(sharedSecret(privateKey, epk), use) }
}

/**
 * Replaces a content encryption key that did not decrypt, or has the wrong length, by a random one.
 * The content then fails to authenticate, and neither the answer nor its time reveals why (§11.5).
 */
const orRandom = (contentKey: Buffer | undefined, length: number): Buffer =>
  contentKey?.length === length ? contentKey : randomBytes(length)

/**
 * Key Agreement with Key Wrapping: the agreement that a header describes, from the cache or
 * computed now.
 */
function agreementOf(
  header: Header,
  { kid, alg, privateKey }: OpeningKey & { readonly alg: WrappingAlg },
  agreements: KnownAgreements | undefined,
): Agreement {
  const epk = parseEphemeralKey(header['epk'], curveFor(privateKey))
  const partyInfo = parsePartyInfo(header)
  // The kid of the key itself, because the header may have none.
  const id = JSON.stringify([kid, alg, epk.x, epk.y, header['apu'], header['apv']])
  const known = agreements?.find(id)
  if (known !== undefined) return { id, wrappingKey: known }
  const use = { algorithm: alg, length: WRAPPING_KEY_LENGTH[alg], ...partyInfo }
  const derived = deriveKey(sharedSecret(privateKey, epk), use)
  return { id, wrappingKey: toWrappingKey(derived) }
}

function curveFor(privateKey: KeyObject) {
  const curve = curveOf(privateKey)
  if (curve === undefined) throw invalid('jwe_alg')
  return curve
}
