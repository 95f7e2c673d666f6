import type { Binding } from '../../protocol/binding.ts'
import { utf8 } from '../bytes.ts'
import type { ClientContext } from '../context.ts'
import type { Reader, ReadingKey } from '../discovery/reader.ts'
import { bindRequest, type RequestToBind } from '../token/bind-request.ts'
import { prove } from '../token/request-proof.ts'
import { seal } from '../token/seal.ts'
import { curveOf, keyInUse, type OpenSession } from './open-session.ts'

/** Whom a token is for. */
export interface Destination {
  readonly reader: Reader
  /** The key that the reader has now. */
  readonly used: ReadingKey
}

/**
 * Client to server: encrypts one of a session's tokens to a reader, for one request, with the proof
 * that a key-bound token needs.
 *
 * @param jws The access token or the refresh token, opened.
 * @throws AuthError `bad_answer` if the published key is unusable; `not_signed_in` if this client no
 *   longer has the session's key.
 */
export async function sealToken(
  { agreements, proofKeys, store }: ClientContext,
  session: OpenSession,
  jws: string,
  { reader, used }: Destination,
  request: RequestToBind,
): Promise<string> {
  const { session_id: sessionId, client_id: clientId } = session.stored
  const loadKey = () => keyInUse(store, session)
  async function req(): Promise<Binding> {
    const binding = await bindRequest(request)
    if (curveOf(session) === undefined) return binding
    return prove(await proofKeys.find(reader.name, used.key, clientId, loadKey), binding, jws)
  }
  return seal(agreements, utf8(jws), { ...used, cty: 'JWT', sessionId, req })
}
