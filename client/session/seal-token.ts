import type { Binding } from '../../protocol/binding.ts'
import { utf8 } from '../bytes.ts'
import type { ClientContext } from '../context.ts'
import type { Reader, ReadingKey } from '../discovery/reader.ts'
import { inPlaceOf, notSignedIn } from '../errors.ts'
import type { ClientKey } from '../keys/client-key.ts'
import type { ClientStore } from '../stores/client-store.ts'
import { bindRequest, type RequestToBind } from '../token/bind-request.ts'
import { prove } from '../token/request-proof.ts'
import { seal } from '../token/seal.ts'
import { keyOf, type OpenSession } from './open-session.ts'
import type { StoredSession } from './stored-session.ts'

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
  context: Pick<ClientContext, 'agreements' | 'proofKeys' | 'store'>,
  session: OpenSession,
  jws: string,
  { reader, used }: Destination,
  request: RequestToBind,
): Promise<string> {
  const { agreements, proofKeys, store } = context
  const { session_id: sessionId, client_id: clientId } = session.stored
  const loadKey = () => keyOfSession(store, session.stored)
  async function req(): Promise<Binding> {
    const binding = await bindRequest(request)
    if (curveOf(session) === undefined) return binding
    return prove(await proofKeys.find(reader.name, used.key, clientId, loadKey), binding, jws)
  }
  return seal(agreements, utf8(jws), { ...used, cty: 'JWT', sessionId, req })
}

/** The key of a session. @throws AuthError `not_signed_in` if this client no longer has it. */
export const keyOfSession = (store: ClientStore, stored: StoredSession): Promise<ClientKey> =>
  keyOf(store, stored).catch(inPlaceOf('token_invalid', notSignedIn))

/** The curve of the client's key if the session's tokens are key-bound; the reader's key must be on it. */
export const curveOf = ({ access }: OpenSession): string | undefined => access.claims.cnf?.jwk.crv
