import type { EncryptionEnc } from '../../protocol/algorithms.ts'
import type { Binding } from '../../protocol/binding.ts'
import type { Bytes } from '../bytes.ts'
import { AuthError } from '../errors.ts'
import type { Agreements } from './jwe/agreements.ts'
import { sealJwe, type Recipient } from './jwe/seal-jwe.ts'

interface SealOptions {
  readonly key: Recipient
  readonly enc: EncryptionEnc
  /** What is encrypted (RFC 7516 §4.1.12): `JWT` for a token, `json` for a body. */
  readonly cty: 'JWT' | 'json'
  /** The session that it belongs to. Without one, the JWE has a key agreement of its own. */
  readonly sessionId?: string | undefined
  /**
   * Makes the header parameter for the one request that the JWE is for. The encryption authenticates
   * the header (RFC 7516 §5.1 step 14), so only somebody who has the plaintext can change `req`.
   */
  readonly req: () => Promise<Binding>
}

/**
 * Encrypts to one reader: client to server, step 2 of the README's second list.
 *
 * @throws AuthError `bad_answer` if the published key is unusable.
 */
export async function seal(
  agreements: Agreements,
  plaintext: Bytes,
  { key, enc, cty, sessionId, req }: SealOptions,
): Promise<string> {
  try {
    const agreement = sessionId === undefined ? undefined : await agreements.take(key, sessionId)
    return await sealJwe(plaintext, key, { enc, header: { cty, req: await req() }, agreement })
  } catch (cause) {
    // Also `NotSupportedError`, in a browser that does not have the key's curve.
    if (!(cause instanceof DOMException)) throw cause
    throw new AuthError('bad_answer', 'The encryption key is unusable.', { cause })
  }
}
