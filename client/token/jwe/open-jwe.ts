import {
  ENCRYPTION_CRVS,
  isWrapping,
  WRAPPING_KEY_LENGTH,
  type EncryptionAlg,
  type EncryptionEnc,
} from '../../../protocol/algorithms.ts'
import { randomBytes, utf8, type Bytes } from '../../bytes.ts'
import type { Json } from '../../json.ts'
import type { ClientKey } from '../../keys/client-key.ts'
import { ecdhOn, importPublicKey } from '../../keys/web-crypto.ts'
import { invalid, invalidIfRefused, isRefusal } from '../../token-error.ts'
import { CONTENT_ENCRYPTIONS } from './content-encryption.ts'
import { parseEphemeralKey, sharedSecret } from './ephemeral-key.ts'
import { deriveKey, parsePartyInfo } from './key-derivation.ts'
import { decryptKey } from './key-encryption.ts'
import { importWrappingKey, unwrapKey } from './key-wrap.ts'

/** A JWS or JWE in compact form, decoded. */
export interface Compact {
  /** The protected header. */
  readonly header: Json
  /** The parts as they were sent, and their bytes; the header's come first. */
  readonly segments: readonly string[]
  readonly parts: readonly Bytes[]
}

/**
 * Decrypts a JWE in compact form (RFC 7516 §5.2).
 *
 * @param jwe Five parts, with a header of this `alg` and this `enc`.
 * @param alg One for keys of this type.
 * @throws AuthError `token_invalid` if it does not decrypt under this key.
 */
export async function openJwe(
  { header, parts, segments }: Compact,
  key: ClientKey,
  alg: EncryptionAlg,
  enc: EncryptionEnc,
): Promise<Bytes> {
  const [, encryptedKey, iv, ciphertext, tag] = parts as [Bytes, Bytes, Bytes, Bytes, Bytes]
  const { ivLength, tagLength, decrypt } = CONTENT_ENCRYPTIONS[enc]
  if (iv.length !== ivLength || tag.length !== tagLength) throw invalid('decryption')
  const contentKey = await contentKeyOf(encryptedKey, header, key, alg, enc)
  // The additional authenticated data is the header as it was sent (step 15).
  return decrypt(contentKey, iv, utf8(segments[0] ?? ''), { ciphertext, tag })
}

/** Steps 6 to 10: the content encryption key, by the key management mode of `alg`. */
async function contentKeyOf(
  encryptedKey: Bytes,
  header: Json,
  key: ClientKey,
  alg: EncryptionAlg,
  enc: EncryptionEnc,
): Promise<Bytes> {
  const { keyLength } = CONTENT_ENCRYPTIONS[enc]
  if (alg === 'RSA-OAEP-256') {
    return orRandom(decryptKey(key.privateKey, encryptedKey, keyLength), keyLength)
  }
  if (isWrapping(alg)) {
    const agreed = await agreedKey(header, key, alg, WRAPPING_KEY_LENGTH[alg])
    const wrappingKey = await importWrappingKey(agreed, 'unwrapKey')
    return orRandom(unwrapKey(wrappingKey, encryptedKey), keyLength)
  }
  // Direct Key Agreement has no encrypted key (step 10).
  if (encryptedKey.length > 0) throw invalid('decryption')
  return agreedKey(header, key, enc, keyLength)
}

/**
 * Replaces a content encryption key that did not decrypt, or has the wrong length, by a random one.
 * The content then fails to authenticate, and neither the error nor its time reveals why (§11.5).
 */
async function orRandom(decrypted: Promise<Bytes>, length: number): Promise<Bytes> {
  const contentKey = await decrypted.catch((error: unknown) => {
    if (!isRefusal(error)) throw error
  })
  return contentKey?.length === length ? contentKey : randomBytes(length)
}

/** The key that the client's key and the header's ephemeral key agree on (RFC 7518 §4.6). */
async function agreedKey(
  header: Json,
  { publicJwk, privateKey }: ClientKey,
  algorithm: string,
  length: number,
): Promise<Bytes> {
  const crv = ENCRYPTION_CRVS.find((name) => name === publicJwk.crv)
  if (crv === undefined) throw invalid('jwe_alg')
  const epk = parseEphemeralKey(header['epk'], publicJwk.kty, crv)
  const partyInfo = parsePartyInfo(header)
  // Fails for a point that is off the curve or of low order.
  const secret = await importPublicKey(epk, ecdhOn(crv), [])
    .then((publicKey) => sharedSecret(privateKey, publicKey, crv))
    .catch(invalidIfRefused('epk'))
  return deriveKey(secret, { algorithm, length, ...partyInfo })
}
