import {
  ENCRYPTION_CRVS,
  isWrapping,
  WRAPPING_KEY_LENGTH,
  type EncryptionAlg,
  type EncryptionEnc,
} from '../../../protocol/algorithms.ts'
import { encodeBase64url, randomBytes, utf8, type Bytes } from '../../bytes.ts'
import { pickPublic, type PublicJwk } from '../../keys/public-jwk.ts'
import { ecdhOn, importPublicKey } from '../../keys/web-crypto.ts'
import { CONTENT_ENCRYPTIONS } from './content-encryption.ts'
import { sharedSecret } from './ephemeral-key.ts'
import { deriveKey, type DerivedKey } from './key-derivation.ts'
import { encryptKey } from './key-encryption.ts'
import { importWrappingKey, wrapKey } from './key-wrap.ts'

/** The public key of a JWE's recipient, with its thumbprint and its algorithm. */
export interface Recipient extends PublicJwk {
  readonly kid: string
  readonly alg: EncryptionAlg
}

/** What the client and one recipient have agreed on for several JWEs. */
export interface Agreement {
  readonly epk: PublicJwk
  /** Wraps the content encryption key of each JWE, which is always fresh. */
  readonly wrappingKey: CryptoKey
}

/**
 * Agrees on a key with a recipient (RFC 7518 §4.6), to seal several JWEs for the price of one key
 * agreement. The private half of the ephemeral key is discarded, and the agreed key can only wrap.
 *
 * @returns `undefined` for an algorithm that does not wrap keys, so that each JWE needs its own
 *   agreement.
 * @throws DOMException for a key that ECDH-ES cannot use.
 */
export async function agreeOn(recipient: Recipient): Promise<Agreement | undefined> {
  const { alg } = recipient
  if (!isWrapping(alg)) return undefined
  const length = WRAPPING_KEY_LENGTH[alg]
  const { epk, key } = await deriveWith(recipient, { algorithm: alg, length })
  return { epk, wrappingKey: await importWrappingKey(key, 'wrapKey') }
}

interface JweOptions {
  readonly enc: EncryptionEnc
  /** More parameters of the protected header. */
  readonly header: Readonly<Record<string, unknown>>
  /** An agreement with this recipient. By default each JWE has its own. */
  readonly agreement?: Agreement | undefined
}

/**
 * Encrypts to one recipient: a JWE in compact form (RFC 7516 §5.1, §7.1), never compressed.
 *
 * @throws DOMException for a key that the algorithm cannot use.
 */
export async function sealJwe(
  plaintext: Bytes,
  recipient: Recipient,
  { enc, header, agreement }: JweOptions,
): Promise<string> {
  const { alg, kid } = recipient
  const { ivLength, encrypt } = CONTENT_ENCRYPTIONS[enc]
  const agreed = agreement ?? (await agreeOn(recipient))
  const { contentKey, encryptedKey, epk } = await contentKeyFor(recipient, enc, agreed)
  // JSON omits undefined members.
  const head = encodeBase64url(utf8(JSON.stringify({ alg, enc, kid, epk, ...header })))
  const iv = randomBytes(ivLength)
  // The header is the additional authenticated data (step 14).
  const { ciphertext, tag } = await encrypt(contentKey, iv, utf8(head), plaintext)
  return [head, ...[encryptedKey, iv, ciphertext, tag].map(encodeBase64url)].join('.')
}

interface ContentKey {
  readonly contentKey: Bytes
  readonly encryptedKey: Bytes
  readonly epk?: PublicJwk
}

/** Steps 1 to 8: the content encryption key, and the parts that convey it to the recipient. */
async function contentKeyFor(
  recipient: Recipient,
  enc: EncryptionEnc,
  agreement: Agreement | undefined,
): Promise<ContentKey> {
  const { keyLength } = CONTENT_ENCRYPTIONS[enc]
  if (agreement !== undefined) {
    const contentKey = randomBytes(keyLength)
    const encryptedKey = await wrapKey(agreement.wrappingKey, contentKey)
    return { contentKey, encryptedKey, epk: agreement.epk }
  }
  if (recipient.alg === 'RSA-OAEP-256') {
    const contentKey = randomBytes(keyLength)
    return { contentKey, encryptedKey: await encryptKey(recipient, contentKey) }
  }
  // Direct Key Agreement: the derived key encrypts the content, and there is no encrypted key.
  const { key, epk } = await deriveWith(recipient, { algorithm: enc, length: keyLength })
  return { contentKey: key, encryptedKey: new Uint8Array(), epk }
}

/** ECDH-ES with a fresh ephemeral key on the recipient's curve (RFC 7518 §4.6). */
async function deriveWith(
  recipient: Recipient,
  use: DerivedKey,
): Promise<{ epk: PublicJwk; key: Bytes }> {
  const crv = ENCRYPTION_CRVS.find((name) => name === recipient.crv)
  if (crv === undefined) throw new DOMException('The key is on no known curve.', 'DataError')
  const publicKey = await importPublicKey(recipient, ecdhOn(crv), [])
  const ephemeral = await crypto.subtle.generateKey(ecdhOn(crv), false, ['deriveBits'])
  const epk = pickPublic(await crypto.subtle.exportKey('jwk', ephemeral.publicKey))
  const secret = await sharedSecret(ephemeral.privateKey, publicKey, crv)
  return { epk, key: await deriveKey(secret, use) }
}
