import type { AuthServer } from '../discovery/server.ts'
import { AuthError, hasCode } from '../errors.ts'
import { json, readAnswer, send, type Fetch } from '../http.ts'
import { seal } from '../token/seal.ts'
import { readTokenPair, type TokenPair } from './answers.ts'

/** Milliseconds to wait before each try: well within the server's REFRESH_REUSE_INTERVAL. */
const PAUSES = [0, 500, 1500]

/**
 * Uses up a refresh token (RFC 6749 §6) and gives back the fresh pair, not yet opened. An answer that
 * is lost on its way is asked for again at once: later, the server takes the token for a stolen one.
 *
 * @param jws The refresh token, opened.
 * @throws AuthError `session_ended` when the server no longer takes it.
 */
export async function renew(fetch: Fetch, server: AuthServer, jws: string): Promise<TokenPair> {
  const used = await server.key()
  try {
    return await request(fetch, server.baseUrl, await seal(jws, used.key, used.enc))
  } catch (error) {
    if (!hasCode(error, 'invalid_grant')) throw error
    // It may not have been able to read it.
    if (await server.hasRotated(used)) {
      const { key, enc } = await server.key()
      return request(fetch, server.baseUrl, await seal(jws, key, enc)).catch(sessionEnded)
    }
    return sessionEnded(error)
  }
}

async function request(fetch: Fetch, baseUrl: string, refreshToken: string): Promise<TokenPair> {
  const url = `${baseUrl}/token`
  const body = { grant_type: 'refresh_token', refresh_token: refreshToken }
  let failure: unknown
  for (const pause of PAUSES) {
    await new Promise((resolve) => setTimeout(resolve, pause))
    try {
      return readTokenPair(await readAnswer(await send(fetch, url, json(body))), url)
    } catch (error) {
      if (!hasCode(error, 'network')) throw error
      failure = error
    }
  }
  throw failure
}

function sessionEnded(cause: unknown): never {
  if (!hasCode(cause, 'invalid_grant')) throw cause
  throw new AuthError('session_ended', 'The session has ended. Sign in again.', { cause })
}
