import { CompactEncrypt } from 'jose'
import { AuthError } from '../errors.ts'
import type { ServerKey } from '../discovery/server-keys.ts'
import type { Binding } from '../../protocol/binding.ts'

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
  reader: ServerKey,
  enc: string,
  req?: Binding,
): Promise<string> {
  const header = { alg: reader.alg, enc, kid: reader.kid, cty: 'JWT' }
  try {
    return await new CompactEncrypt(new TextEncoder().encode(jws))
      .setProtectedHeader(req === undefined ? header : { ...header, req: { ...req } })
      .encrypt(reader)
  } catch (cause) {
    throw new AuthError('bad_answer', 'The encryption key is unusable.', { cause })
  }
}
