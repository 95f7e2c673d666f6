import type { Binding } from '../../protocol/binding.ts'
import { utf8 } from '../bytes.ts'
import type { ReadingKey } from '../discovery/reader.ts'
import { AuthError } from '../errors.ts'
import type { Agreements } from './jwe/agreements.ts'
import { sealJwe } from './jwe/seal-jwe.ts'
import { prove } from './request-proof.ts'

interface SealOptions extends ReadingKey {
  /** The token's session. */
  readonly sessionId: string
  /**
   * The one request that the JWE is for. The encryption authenticates the header (RFC 7516 §5.1 step
   * 14), so changing `req` takes a new JWE, and thus the JWS.
   */
  readonly req: Binding
  /** Finds the key of the proof, which a key-bound token needs. */
  readonly proofKey?: () => Promise<CryptoKey>
}

/**
 * Encrypts a JWS to one reader: client to server, steps 2 and 3 of the README's second list.
 *
 * @throws AuthError `bad_answer` if the published key is unusable.
 */
export async function seal(
  agreements: Agreements,
  jws: string,
  { key, enc, sessionId, req: binding, proofKey }: SealOptions,
): Promise<string> {
  try {
    const agreement = await agreements.take(key, sessionId)
    const req = proofKey === undefined ? binding : await prove(await proofKey(), binding, jws)
    return await sealJwe(utf8(jws), key, { enc, header: { cty: 'JWT', req }, agreement })
  } catch (cause) {
    // Also `NotSupportedError`, in a browser that does not have the key's curve.
    if (!(cause instanceof DOMException)) throw cause
    throw new AuthError('bad_answer', 'The encryption key is unusable.', { cause })
  }
}
