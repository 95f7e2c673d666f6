import type { ClientContext } from './context.ts'
import type { Reader } from './discovery/reader.ts'
import { dateOf, reach } from './http.ts'
import type { TokenSource } from './session/refresher.ts'
import { BINDING_TOLERANCE } from '../protocol/binding.ts'
import { curveOf, sealToken } from './session/seal-token.ts'
import { unlessAborted } from './timers.ts'

/**
 * Client to server: takes the JWS, encrypts it to the reader's key for this one request, and sends it.
 * Retries a refused request at most three times: with the reader's newest key, with the reader's
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
  /** Seconds that the reader's clock is ahead of our estimate of the server's clock. */
  let ahead = 0

  async function attempt(): Promise<Response> {
    const url = reader.name + request.url.slice(reader.baseUrl.length)
    const { method, redirect, credentials, cache, keepalive, mode, referrerPolicy } = request
    const bound = { method, url, body, now: tokens.now + ahead }
    const token = await sealToken(context, session, session.access.jws, { reader, used }, bound)
    const headers = new Headers(request.headers)
    headers.set('authorization', `Bearer ${token}`)
    const init = { method, redirect, credentials, cache, keepalive, mode, referrerPolicy, headers }
    const content = body.length === 0 ? null : body
    return reach(context.fetch, new Request(request.url, { ...init, signal, body: content }))
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
