import type { KeyObject } from 'node:crypto'
import { CompactEncrypt } from 'jose'
import type { Algorithms, EncryptionAlg } from '../../protocol/algorithms.ts'

/** Whom a JWE is for: a public encryption key, its thumbprint and, where it is another than the configured one, its algorithm. */
export interface Recipient {
  readonly kid: string
  readonly key: KeyObject
  readonly alg?: EncryptionAlg
}

/**
 * Encrypts a text to one recipient: a JWE in compact form (RFC 7516 §7.1), never compressed.
 *
 * @param cty What the plaintext is: `JWT` for a signed token (RFC 7519 §5.2), else a media type
 *   without its `application/`, or nothing.
 */
export async function encrypt(
  plaintext: string,
  recipient: Recipient,
  { encryptionAlg, encryptionEnc }: Algorithms,
  cty?: string,
): Promise<string> {
  return new CompactEncrypt(new TextEncoder().encode(plaintext))
    .setProtectedHeader({
      alg: recipient.alg ?? encryptionAlg,
      enc: encryptionEnc,
      kid: recipient.kid,
      ...(cty === undefined ? {} : { cty }),
    })
    .encrypt(recipient.key)
}
