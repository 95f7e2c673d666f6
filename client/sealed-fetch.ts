import { BINDING_TOLERANCE } from '../protocol/binding.ts'
import { JOSE } from '../protocol/sealed-bodies.ts'
import { utf8 } from './bytes.ts'
import type { ClientContext } from './context.ts'
import type { Reader } from './discovery/reader.ts'
import { dateOf, reach } from './http.ts'
import { openAnswer } from './sealing/open-answer.ts'
import { sealingOf } from './sealing/policy.ts'
import { sealBody } from './sealing/seal-body.ts'
import type { TokenSource } from './session/refresher.ts'
import { curveOf, keyOfSession, sealToken } from './session/seal-token.ts'
import { unlessAborted } from './timers.ts'

/**
 * Client to server: takes the JWS, encrypts it to the reader's key for this one request, and sends it.
 * If the reader is the server and offers it, the body and the answer are sealed as well. Retries a refused request at most three times: with the reader's newest key, with the reader's
 * clock, and with a refreshed token.
 */
export async function sealedFetch(
  context: ClientContext,
  tokens: TokenSource,
  reader: Reader,
  request: Request,
): Promise<Response> {
  // Read only once, because every attempt must send exactly the bytes that the digest covers.
  const body = new Uint8Array(await request.arrayBuffer())
  const { signal } = request
  let session = await unlessAborted(signal, () => tokens.usable())
  // All tokens of a session are for one key of the client.
  const crv = curveOf(session)
  let used = await unlessAborted(signal, () => reader.key(crv))
  const sealing = await unlessAborted(signal, () => sealingOf(context, reader, request, body))
  /** Seconds that the reader's clock is ahead of our estimate of the server's clock. */
  let ahead = 0

  async function attempt(): Promise<Response> {
    const url = reader.name + request.url.slice(reader.baseUrl.length)
    const { method, redirect, credentials, cache, keepalive, mode, referrerPolicy } = request
    const sentAt = tokens.now + ahead
    const bound = { method, url, now: sentAt, jti: crypto.randomUUID() }
    const content = sealing.body
      ? utf8(await sealBody(context.agreements, body, used, bound, session))
      : body
    const { jws } = session.access
    const withBody = { ...bound, body: content }
    const token = await sealToken(context, session, jws, { reader, used }, withBody)
    const headers = new Headers(request.headers)
    headers.set('authorization', `Bearer ${token}`)
    if (sealing.body) headers.set('content-type', JOSE)
    if (sealing.answer) headers.set('accept', JOSE)
    const init = { method, redirect, credentials, cache, keepalive, mode, referrerPolicy, headers }
    const sent = new Request(request.url, {
      ...{ ...init, signal },
      body: content.length === 0 ? null : content,
    })
    const response = await reach(context.fetch, sent)
    if (!sealing.answer) return response
    const { stored } = session
    const asked = {
      ...{ jti: bound.jti, sentAt, now: tokens.now + ahead },
      loadKey: () => keyOfSession(context.store, stored),
    }
    return openAnswer(context, response, asked).catch((error: unknown) => {
      signal.throwIfAborted()
      throw error
    })
  }

  let response = await attempt()
  if (isRefused(response) && !isExpired(response) && (await reader.hasRotated(used, crv))) {
    used = await reader.key(crv)
    response = await attempt()
  }
  const difference = dateOf(response) - tokens.now
  if (isRefused(response) && !isExpired(response) && Math.abs(difference) > CLOCK_TOLERANCE) {
    // Applies to this request only, because the date is not signed.
    ahead = difference
    response = await attempt()
  }
  if (!isRefused(response)) return response
  // A service may refuse every token for its own reasons. That must not refresh the token each time.
  const isFresh = tokens.now - session.access.claims.iat < RENEWED
  if (isFresh && !reader.issuesTokens) return response
  const refused = session
  session = await unlessAborted(signal, () => tokens.refresh(refused))
  // The new token has corrected our clock.
  ahead = 0
  return attempt()
}

/** Seconds that two clocks may differ without a retry. */
const CLOCK_TOLERANCE = BINDING_TOLERANCE / 2

/** Seconds after issue during which a service's refusal does not cause a refresh. */
const RENEWED = 60

/** RFC 6750 §3.1: the token was refused, rather than, say, a password. */
const isRefused = (response: Response): boolean =>
  response.status === 401 && challengeOf(response).includes('error="invalid_token"')

/** Whether the token has expired: the only reason that the server reveals. */
const isExpired = (response: Response): boolean =>
  /error_description="[^"]*expired/.test(challengeOf(response))

const challengeOf = ({ headers }: Response): string => headers.get('WWW-Authenticate') ?? ''
