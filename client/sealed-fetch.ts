import { BINDING_TOLERANCE } from '../protocol/binding.ts'
import { JOSE } from '../protocol/sealed-bodies.ts'
import { utf8 } from './bytes.ts'
import type { ClientContext } from './context.ts'
import type { Reader, ReadingKey } from './discovery/reader.ts'
import { dateOf, reach } from './http.ts'
import { openAnswer } from './sealing/open-answer.ts'
import { sealingOf } from './sealing/policy.ts'
import { sealBody } from './sealing/seal-body.ts'
import { sendCorrected } from './send-corrected.ts'
import { curveOf, keyInUse, type OpenSession } from './session/open-session.ts'
import type { TokenSource } from './session/refresher.ts'
import { sealToken } from './session/seal-token.ts'
import { unlessAborted } from './timers.ts'

/**
 * Client to server: takes the JWS, encrypts it to the reader's key for this one request, and sends it.
 * If the reader is the server and offers it, the body and the answer are sealed as well. Retries a
 * refused request at most three times: with the reader's newest key, with the reader's clock, and with
 * a refreshed token.
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
  const usable = await unlessAborted(signal, () => tokens.usable())
  const sealing = await unlessAborted(signal, () => sealingOf(context, reader, request, body))

  async function attempt(
    session: OpenSession,
    used: ReadingKey,
    now: () => number,
  ): Promise<Response> {
    const url = reader.name + request.url.slice(reader.baseUrl.length)
    const { method, redirect, credentials, cache, keepalive, mode, referrerPolicy } = request
    const sentAt = now()
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
      ...init,
      signal,
      body: content.length === 0 ? null : content,
    })
    const response = await reach(context.fetch, sent)
    if (!sealing.answer) return response
    const asked = {
      jti: bound.jti,
      sentAt,
      now: now(),
      loadKey: () => keyInUse(context.store, session),
    }
    return openAnswer(context, response, asked).catch((error: unknown) => {
      signal.throwIfAborted()
      throw error
    })
  }

  // All tokens of a session are for one key of the client.
  const crv = curveOf(usable)
  const serverTime = () => tokens.now
  const response = await unlessAborted(signal, () =>
    sendCorrected({
      reader,
      crv,
      now: serverTime,
      tolerance: CLOCK_TOLERANCE,
      send: (used, now) => attempt(usable, used, now),
      dateOfRefusal: (answer) =>
        isRefused(answer) && !isExpired(answer) ? dateOf(answer) : undefined,
    }),
  )
  if (!isRefused(response)) return response
  // A service may refuse every token for its own reasons. That must not refresh the token each time.
  const isFresh = tokens.now - usable.access.claims.iat < RENEWED
  if (isFresh && !reader.issuesTokens) return response
  const refreshed = await unlessAborted(signal, () => tokens.refresh(usable))
  // The new token has corrected our clock.
  return attempt(refreshed, await reader.key(crv), serverTime)
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
