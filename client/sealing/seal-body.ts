import { sha256, utf8, type Bytes } from '../bytes.ts'
import type { ReadingKey } from '../discovery/reader.ts'
import type { OpenSession } from '../session/open-session.ts'
import { bindRequest, type RequestToBind } from '../token/bind-request.ts'
import type { Agreements } from '../token/jwe/agreements.ts'
import { seal } from '../token/seal.ts'

/**
 * JSON → JWE: encrypts a body to the server, for one request.
 *
 * @param request Without a body.
 * @param session The session whose access token comes with the request. It ties the body to that token,
 *   so that nobody can send it with a token of their own.
 * @throws AuthError `bad_answer` if the published key is unusable.
 */
export function sealBody(
  agreements: Agreements,
  json: Bytes,
  used: ReadingKey,
  request: RequestToBind,
  session?: OpenSession,
): Promise<string> {
  const sessionId = session?.stored.session_id
  async function req() {
    const binding = await bindRequest(request)
    return session ? { ...binding, ath: await sha256(utf8(session.access.jws)) } : binding
  }
  return seal(agreements, json, { ...used, cty: 'json', sessionId, req })
}
