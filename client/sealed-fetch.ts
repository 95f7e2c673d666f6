import type { Reader } from './discovery/reader.ts'
import { reach, type Fetch } from './http.ts'
import type { TokenSource } from './session/refresher.ts'
import { BINDING_TOLERANCE } from '../protocol/binding.ts'
import { bindRequest } from './token/bind-request.ts'
import { unlessAborted } from './timers.ts'
import { seal } from './token/seal.ts'

/**
 * Client to server: takes the JWS, encrypts it to the reader's key for this one request, and sends it.
 * Tries a refused request again at most three times: with the reader's newest key, by the reader's
 * clock, and with a refreshed token.
 */
export async function sealedFetch(
  fetch: Fetch,
  tokens: TokenSource,
  reader: Reader,
  request: Request,
): Promise<Response> {
  // Read once: the digest is of exactly these bytes, and every attempt sends them.
  const body = new Uint8Array(await request.arrayBuffer())
  const { signal } = request
  let session = await unlessAborted(signal, () => tokens.usable())
  let key = await unlessAborted(signal, () => reader.key())
  /** Seconds that the reader's clock is ahead of the server's as we know it. */
  let ahead = 0

  async function attempt(): Promise<Response> {
    const url = reader.name + request.url.slice(reader.baseUrl.length)
    const req = await bindRequest(request.method, url, body, tokens.now + ahead)
    const token = await seal(session.access.jws, key.key, key.enc, req)
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
    // For this request only, because the date is not signed.
    ahead = difference
    response = await attempt()
  }
  if (!isRefused(response)) return response
  // A service may refuse for reasons of its own, and always. That must not refresh the token every time.
  const isFresh = tokens.now - session.access.claims.iat < RENEWED
  if (isFresh && !reader.issuesTokens) return response
  const refused = session
  session = await unlessAborted(signal, () => tokens.refresh(refused))
  // The new token has set the clock.
  ahead = 0
  return attempt()
}

/** Seconds that two clocks may differ without a second try. */
const CLOCK_TOLERANCE = BINDING_TOLERANCE / 2

/** Seconds after its issue in which a token is not refreshed because a service refuses it. */
const RENEWED = 60

/** RFC 6750 §3.1: the token is refused, and not, say, a password. */
const isRefused = (response: Response): boolean =>
  response.status === 401 && challengeOf(response).includes('error="invalid_token"')

/** The one reason that the server tells: it could open and verify the token. */
const isExpired = (response: Response): boolean =>
  /error_description="[^"]*expired/.test(challengeOf(response))

/** When an answer was made (RFC 9110 §6.6.1), in seconds since the epoch; NaN if it has no date. */
const dateOf = ({ headers }: Response): number => Date.parse(headers.get('Date') ?? '') / 1000

const challengeOf = ({ headers }: Response): string => headers.get('WWW-Authenticate') ?? ''
