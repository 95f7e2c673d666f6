import type { ClientContext } from '../context.ts'
import { AuthError, hasCode, inPlaceOf, sessionEnded } from '../errors.ts'
import { json, readAnswer, send, TIMEOUT, unreachable } from '../http.ts'
import { sleep, within } from '../timers.ts'
import { seal } from '../token/seal.ts'
import { readTokenPair, type TokenPair } from './answers.ts'
import { openerOf } from './open-session.ts'
import type { StoredSession } from './stored-session.ts'
import { openRefreshToken } from './tokens.ts'

/**
 * Milliseconds to wait for each attempt's answer before starting the next attempt; the last waits for
 * the full time limit. All attempts must begin well within the server's REFRESH_REUSE_INTERVAL,
 * because the server treats a later reuse as theft.
 */
const PATIENCE = [3000, 3000, TIMEOUT]
/** Milliseconds between a failed attempt and the next. */
const PAUSE = 500

/**
 * Uses up a refresh token (RFC 6749 §6) and returns the next pair, not yet opened. Asks again soon if
 * an answer is lost or late.
 *
 * @param jws The refresh token, opened.
 * @param sessionId The token's session.
 * @throws AuthError `session_ended` if the server no longer accepts it.
 */
export async function requestPair(
  context: Pick<ClientContext, 'fetch' | 'server' | 'agreements'>,
  jws: string,
  sessionId: string,
): Promise<TokenPair> {
  const { server, agreements } = context
  const used = await server.key()
  try {
    return await request(context, await seal(agreements, jws, { ...used, sessionId }))
  } catch (error) {
    if (!hasCode(error, 'invalid_grant')) throw error
    // The server may have been unable to decrypt it after a key rotation.
    if (!(await server.hasRotated(used))) throw sessionEnded(error)
    const sealed = await seal(agreements, jws, { ...(await server.key()), sessionId })
    return request(context, sealed).catch(inPlaceOf('invalid_grant', sessionEnded))
  }
}

/** Asks the server to end a session (RFC 7009). If that fails, the session expires by itself. */
export async function revoke(context: ClientContext, stored: StoredSession): Promise<void> {
  const { server, fetch, agreements } = context
  const { refresh_token, session_id: sessionId } = stored
  try {
    const { jws } = await openRefreshToken(refresh_token, await openerOf(context, stored))
    const token = await seal(agreements, jws, { ...(await server.key()), sessionId })
    await send(fetch, `${server.baseUrl}/revoke`, json({ token }))
  } catch (error) {
    // Nobody waits for the result, but a bug must still show.
    if (!(error instanceof AuthError)) throw error
  }
}

async function request(
  { fetch, server }: Pick<ClientContext, 'fetch' | 'server'>,
  refreshToken: string,
): Promise<TokenPair> {
  const url = `${server.baseUrl}/token`
  const body = { grant_type: 'refresh_token', refresh_token: refreshToken }
  let failure: AuthError | undefined
  /** Resolves to the server's answer, even a refusal; rejects if there is none. */
  async function ask(): Promise<{ pair: TokenPair } | { refusal: unknown }> {
    try {
      return { pair: readTokenPair(await readAnswer(await send(fetch, url, json(body))), url) }
    } catch (error) {
      if (!hasCode(error, 'network')) return { refusal: error }
      failure = error as AuthError
      throw error
    }
  }
  const attempts: ReturnType<typeof ask>[] = []
  for (const patience of PATIENCE) {
    attempts.push(ask())
    const answer = await within(patience, Promise.any(attempts), () => undefined).catch(() =>
      sleep(PAUSE),
    )
    if (answer === undefined) continue
    if ('pair' in answer) return answer.pair
    throw answer.refusal
  }
  throw failure ?? unreachable(url, undefined)
}
