import type { KeyObject } from 'node:crypto'
import type { Algorithms, EncryptionAlg } from '../../protocol/algorithms.ts'
import { seal } from './jwe/seal-jwe.ts'

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
 * @throws Error for a key that the algorithm cannot use.
 */
// eslint-disable-next-line @typescript-eslint/require-await -- what cannot be encrypted is a rejection
export async function encrypt(
  plaintext: string,
  { kid, key, alg }: Recipient,
  { encryptionAlg, encryptionEnc }: Algorithms,
  cty?: string,
): Promise<string> {
  const recipient = { kid, alg: alg ?? encryptionAlg, publicKey: key }
  return seal(plaintext, recipient, encryptionEnc, { cty })
}
