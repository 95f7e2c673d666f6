import type { Reader } from './discovery/reader.ts'
import { reach, type Fetch } from './http.ts'
import type { SessionHolder } from './session/session-holder.ts'
import { bind } from './token/binding.ts'
import { seal } from './token/seal.ts'

/**
 * Client to server: takes the JWS, encrypts it to the reader's key for this one request, sends it.
 * What is refused is tried again at most twice: with the reader's newest key, and with a renewed token.
 */
export async function sealedFetch(
  fetch: Fetch,
  holder: SessionHolder,
  reader: Reader,
  request: Request,
): Promise<Response> {
  // Read once: the digest is over just these bytes, and every try sends them.
  const body = new Uint8Array(await request.arrayBuffer())
  let session = await holder.fresh()
  let key = await reader.key()

  async function attempt(): Promise<Response> {
    const url = reader.name + request.url.slice(reader.baseUrl.length)
    const req = await bind(request.method, url, body, holder.now)
    const token = await seal(session.access.jws, key.key, key.enc, req)
    const headers = new Headers(request.headers)
    headers.set('authorization', `Bearer ${token}`)
    const { method, signal, redirect, credentials, cache, keepalive } = request
    const init = { method, headers, signal, redirect, credentials, cache, keepalive }
    return reach(fetch, new Request(request.url, body.length === 0 ? init : { ...init, body }))
  }

  const first = await attempt()
  if (!isRefused(first)) return first
  if (!isExpired(first) && (await reader.hasRotated(key))) {
    key = await reader.key()
    const second = await attempt()
    if (!isRefused(second)) return second
  }
  session = await holder.renew(session)
  return attempt()
}

/** RFC 6750 §3.1: the token is refused, and not, say, a password. */
const isRefused = (response: Response): boolean =>
  response.status === 401 && challengeOf(response).includes('error="invalid_token"')

/** The one reason that the server tells apart: it could read and verify the token. */
const isExpired = (response: Response): boolean =>
  /error_description="[^"]*expired/.test(challengeOf(response))

const challengeOf = ({ headers }: Response): string => headers.get('WWW-Authenticate') ?? ''
