import { AuthError } from '../errors.ts'
import { json, send } from '../http.ts'
import { seal } from '../token/seal.ts'
import { openerOf, type OnlineContext } from './open-session.ts'
import type { StoredSession } from './stored-session.ts'
import { openRefreshToken } from './tokens.ts'

/** Has the server end a session that this client has replaced (RFC 7009). Should it fail, it expires by itself. */
export async function revoke(context: OnlineContext, stored: StoredSession): Promise<void> {
  const { server, fetch } = context
  try {
    const { jws } = await openRefreshToken(stored.refresh_token, await openerOf(context, stored))
    const { key, enc } = await server.key()
    await send(fetch, `${server.baseUrl}/revoke`, json({ token: await seal(jws, key, enc) }))
  } catch (error) {
    // Nobody is waiting for it; a bug must show all the same.
    if (!(error instanceof AuthError)) throw error
  }
}
