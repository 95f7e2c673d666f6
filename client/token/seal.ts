import type { EncryptionEnc } from '../../protocol/algorithms.ts'
import type { Binding } from '../../protocol/binding.ts'
import { utf8 } from '../bytes.ts'
import type { EncryptionKey } from '../discovery/server-keys.ts'
import { AuthError } from '../errors.ts'
import { agreeOn, sealJwe } from './jwe/seal-jwe.ts'

/**
 * Encrypts a JWS to one reader: client to server, steps 2 and 3 of the README's second list.
 *
 * @param enc The `enc` from the server's metadata.
 * @param req The one request that the JWE is for. The encryption authenticates the header (RFC 7516
 *   §5.1 step 14), so changing `req` takes a new JWE, and thus the JWS.
 * @throws AuthError `bad_answer` if the published key is unusable.
 */
export async function seal(
  jws: string,
  reader: EncryptionKey,
  enc: EncryptionEnc,
  req?: Binding,
): Promise<string> {
  try {
    const agreement = await agreeOn(reader)
    return await sealJwe(utf8(jws), reader, { enc, header: { cty: 'JWT', req }, agreement })
  } catch (cause) {
    // Also `NotSupportedError`, in a browser that does not have the key's curve.
    if (!(cause instanceof DOMException)) throw cause
    throw new AuthError('bad_answer', 'The encryption key is unusable.', { cause })
  }
}
