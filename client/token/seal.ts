import { CompactEncrypt } from 'jose'
import { AuthError } from '../errors.ts'
import type { ServerKey } from '../discovery/server-keys.ts'
import type { Binding } from '../../protocol/binding.ts'

/**
 * JWS → JWE, for one reader: client to server, steps 2 and 3 of the README's second list.
 *
 * @param enc The `enc` that the server's metadata names.
 * @param req The one request that it is for. The header is authenticated by the encryption
 *   (RFC 7516 §5.1 step 14), and only who holds the JWS can make another.
 * @throws AuthError `bad_answer` for a published key that is none.
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
    throw new AuthError('bad_answer', 'The key is unusable.', { cause })
  }
}
