import type { ClientContext } from '../context.ts'
import type { ReadingKey } from '../discovery/reader.ts'
import { AuthError, hasCode, sessionEnded } from '../errors.ts'
import { dateOf, json, readAnswer, send, TIMEOUT, unreachable } from '../http.ts'
import { sendCorrected } from '../send-corrected.ts'
import { sleep, within } from '../timers.ts'
import { readTokenPair, type TokenPair } from './answers.ts'
import {
  curveOf,
  keyOf,
  openerOf,
  openStored,
  serverTime,
  type OpenSession,
} from './open-session.ts'
import { sealToken } from './seal-token.ts'
import { openRefreshToken } from './tokens.ts'

/**
 * Milliseconds to wait for each attempt's answer before starting the next attempt; the last waits for
 * the full time limit. All attempts must begin well within the server's REFRESH_REUSE_INTERVAL,
 * because the server treats a later reuse as theft.
 */
const PATIENCE = [3000, 3000, TIMEOUT]
/** Milliseconds between a failed attempt and the next. */
const PAUSE = 500

/** Seconds that two clocks may differ without a retry. `Date` has whole seconds. */
const CLOCK_TOLERANCE = 1

/** The server's answer to one attempt. */
type Outcome = { readonly pair: TokenPair } | { readonly refusal: unknown; readonly date: number }

/**
 * Uses up a refresh token (RFC 6749 §6) and returns the next pair, not yet opened. Asks again soon if
 * an answer is lost or late.
 *
 * @param jws The refresh token, opened.
 * @throws AuthError `session_ended` if the server no longer accepts it.
 */
export async function requestPair(
  context: ClientContext,
  session: OpenSession,
  jws: string,
): Promise<TokenPair> {
  // A session must not end because the server's key has changed, or because this clock is wrong and
  // the request seems to be an old one. A server that has just started answers that by 503.
  const outcome = await sendCorrected({
    reader: context.server,
    crv: curveOf(session),
    tolerance: CLOCK_TOLERANCE,
    now: () => serverTime(context, session),
    send: (used, now) =>
      askPatiently(context, () =>
        sealForServer(context, session, jws, { used, path: '/token', now: now() }),
      ),
    dateOfRefusal: (answer) => (isRefused(answer) ? answer.date : undefined),
  })
  if ('pair' in outcome) return outcome.pair
  const { refusal } = outcome
  throw hasCode(refusal, 'invalid_grant') ? sessionEnded(refusal) : refusal
}

const isRefused = (outcome: Outcome): outcome is Exclude<Outcome, { pair: unknown }> =>
  'refusal' in outcome &&
  ['invalid_grant', 'temporarily_unavailable'].some((code) => hasCode(outcome.refusal, code))

/**
 * Makes the body of the request that ends a stored session (RFC 7009); `undefined` if its refresh token
 * cannot be opened. Call it before `useKey`, because a new key cannot open that token.
 */
export async function sealRevocation(context: ClientContext): Promise<object | undefined> {
  try {
    const session = await openStored(context)
    if (session === undefined) return undefined
    const { stored } = session
    const key = await keyOf(context.store, stored)
    const { jws } = await openRefreshToken(stored.refresh_token, await openerOf(context, key))
    const used = await context.server.key(curveOf(session))
    const now = serverTime(context, session)
    return { token: await sealForServer(context, session, jws, { used, path: '/revoke', now }) }
  } catch (error) {
    onlyIfExpected(error)
    return undefined
  }
}

/** Asks the server to end a session. If that fails, the session expires by itself. */
export async function revoke({ server, fetch }: ClientContext, body: object): Promise<void> {
  try {
    await send(fetch, `${server.baseUrl}/revoke`, json(body))
  } catch (error) {
    onlyIfExpected(error)
  }
}

/** Nobody waits for the result, but a bug must still show. */
function onlyIfExpected(error: unknown): void {
  if (!(error instanceof AuthError)) throw error
}

function sealForServer(
  context: ClientContext,
  session: OpenSession,
  jws: string,
  { used, path, now }: { used: ReadingKey; path: string; now: number },
): Promise<string> {
  const { server } = context
  const bound = { method: 'POST', url: server.name + path, now }
  return sealToken(context, session, jws, { reader: server, used }, bound)
}

/**
 * Asks the token endpoint, and again if an answer is lost or late.
 *
 * @param sealed Seals the token for one attempt, because each is a request of its own.
 */
async function askPatiently(
  { fetch, server }: ClientContext,
  sealed: () => Promise<string>,
): Promise<Outcome> {
  const url = `${server.baseUrl}/token`
  let failure: AuthError | undefined
  /** Resolves to the server's answer, even a refusal; rejects if there is none. */
  async function ask(): Promise<Outcome> {
    let date = NaN
    try {
      const body = { grant_type: 'refresh_token', refresh_token: await sealed() }
      const response = await send(fetch, url, json(body))
      date = dateOf(response)
      return { pair: readTokenPair(await readAnswer(response), url) }
    } catch (error) {
      if (!hasCode(error, 'network')) return { refusal: error, date }
      failure = error as AuthError
      throw error
    }
  }
  const attempts: Promise<Outcome>[] = []
  for (const patience of PATIENCE) {
    attempts.push(ask())
    const outcome = await within(patience, Promise.any(attempts), () => undefined).catch(() =>
      sleep(PAUSE),
    )
    if (outcome !== undefined) return outcome
  }
  throw failure ?? unreachable(url, undefined)
}
