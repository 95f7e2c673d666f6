import type { ClientContext } from './context.ts'
import type { Reader } from './discovery/reader.ts'
import { reach } from './http.ts'
import type { TokenSource } from './session/refresher.ts'
import { BINDING_TOLERANCE } from '../protocol/binding.ts'
import { bindRequest } from './token/bind-request.ts'
import { unlessAborted } from './timers.ts'
import { seal } from './token/seal.ts'

/**
 * Client to server: takes the JWS, encrypts it to the reader's key for this one request, and sends it.
 * Retries a refused request at most three times: with the reader's newest key, with the reader's
 * clock, and with a refreshed token.
 */
export async function sealedFetch(
  { fetch, agreements }: Pick<ClientContext, 'fetch' | 'agreements'>,
  tokens: TokenSource,
  reader: Reader,
  request: Request,
): Promise<Response> {
  // Read only once, because every attempt must send exactly the bytes that the digest covers.
  const body = new Uint8Array(await request.arrayBuffer())
  const { signal } = request
  let session = await unlessAborted(signal, () => tokens.usable())
  let key = await unlessAborted(signal, () => reader.key())
  /** Seconds that the reader's clock is ahead of our estimate of the server's clock. */
  let ahead = 0

  async function attempt(): Promise<Response> {
    const url = reader.name + request.url.slice(reader.baseUrl.length)
    const req = await bindRequest(request.method, url, body, tokens.now + ahead)
    const { session_id: sessionId } = session.stored
    const token = await seal(agreements, session.access.jws, { ...key, sessionId, req })
    const headers = new Headers(request.headers)
    headers.set('authorization', `Bearer ${token}`)
    const { method, redirect, credentials, cache, keepalive, mode, referrerPolicy } = request
    const init = { method, redirect, credentials, cache, keepalive, mode, referrerPolicy, headers }
    const content = body.length === 0 ? null : body
    return reach(fetch, new Request(request.url, { ...init, signal, body: content }))
  }

  let response = await attempt()
  if (isRefused(response) && !isExpired(response) && (await reader.hasRotated(key))) {
    key = await reader.key()
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

/** The date of an answer (RFC 9110 §6.6.1) in seconds since the epoch; NaN without one. */
const dateOf = ({ headers }: Response): number => Date.parse(headers.get('Date') ?? '') / 1000

const challengeOf = ({ headers }: Response): string => headers.get('WWW-Authenticate') ?? ''
