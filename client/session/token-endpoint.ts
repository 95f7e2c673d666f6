import type { AuthServer } from '../discovery/server.ts'
import { hasCode, inPlaceOf, sessionEnded, type AuthError } from '../errors.ts'
import { json, readAnswer, send, TIMEOUT, unreachable, type Fetch } from '../http.ts'
import { sleep, within } from '../timers.ts'
import { seal } from '../token/seal.ts'
import { readTokenPair, type TokenPair } from './answers.ts'

/**
 * Milliseconds to wait for the answer of each try before the next one begins; the last one waits as
 * long as it takes. All begin well within the server's REFRESH_REUSE_INTERVAL: later, the same token
 * would be taken for a stolen one.
 */
const PATIENCE = [3000, 3000, TIMEOUT]
/** Milliseconds between a try that has failed and the next. */
const PAUSE = 500

/**
 * Uses up a refresh token (RFC 6749 §6) and gives back the fresh pair, not yet opened. An answer that
 * is lost on its way, or does not come, is asked for again at once.
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
      return request(fetch, server.baseUrl, await seal(jws, key, enc)).catch(
        inPlaceOf('invalid_grant', sessionEnded),
      )
    }
    throw sessionEnded(error)
  }
}

async function request(fetch: Fetch, baseUrl: string, refreshToken: string): Promise<TokenPair> {
  const url = `${baseUrl}/token`
  const body = { grant_type: 'refresh_token', refresh_token: refreshToken }
  let failure: AuthError | undefined
  /** Resolves to the server's word, also where that is a refusal; rejects where there was none. */
  async function ask(): Promise<{ pair: TokenPair } | { refusal: unknown }> {
    try {
      return { pair: readTokenPair(await readAnswer(await send(fetch, url, json(body))), url) }
    } catch (error) {
      if (!hasCode(error, 'network')) return { refusal: error }
      failure = error as AuthError
      throw error
    }
  }
  const tries: ReturnType<typeof ask>[] = []
  for (const patience of PATIENCE) {
    tries.push(ask())
    const word = await within(patience, Promise.any(tries), () => undefined).catch(async () => {
      await sleep(PAUSE)
      return undefined
    })
    if (word === undefined) continue
    if ('pair' in word) return word.pair
    throw word.refusal
  }
  throw failure ?? unreachable(url, undefined)
}
