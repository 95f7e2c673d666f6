import { AuthError } from './errors.ts'
import { isText, parseObject, type Json } from './json.ts'

export type Fetch = (request: Request) => Promise<Response>

/** Milliseconds that a request of the library's own may take. */
export const TIMEOUT = 30_000

/**
 * Sends a request of the library's own. No cookies, no redirects, nothing from a cache unasked.
 *
 * @param timeout Milliseconds.
 */
export async function send(
  fetch: Fetch,
  url: string,
  init: RequestInit = {},
  timeout = TIMEOUT,
): Promise<Response> {
  const signal = AbortSignal.timeout(timeout)
  const common: RequestInit = { credentials: 'omit', redirect: 'error', cache: 'no-cache', signal }
  const request = new Request(url, { ...common, ...init })
  return fetch(request).catch((cause: unknown) => {
    throw unreachable(request.url, cause)
  })
}

/** Fetches for a caller, and says `network` when no answer came. An abort of theirs stays what it is. */
export async function reach(fetch: Fetch, request: Request): Promise<Response> {
  try {
    return await fetch(request)
  } catch (cause) {
    if (request.signal.aborted) throw cause
    throw unreachable(request.url, cause)
  }
}

/** `init` for a POST (or another method) of JSON. */
export const json = (body: unknown, method = 'POST'): RequestInit => ({
  method,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
})

/**
 * The JSON object of a good answer; an empty one for 204 and 202.
 *
 * @throws AuthError with the server's code for an error answer; `network` for anything that our server
 *   does not write, such as the page of a proxy.
 */
export async function readAnswer(response: Response): Promise<Json> {
  const body = parseObject(await textOf(response))
  if (!response.ok) throw errorOf(response, body)
  if (body !== undefined) return body
  if (response.status === 204 || response.status === 202) return {}
  throw errorOf(response, undefined)
}

/** The whole text of an answer; `network` when it breaks off. */
export async function textOf(response: Response): Promise<string> {
  try {
    return await response.text()
  } catch (cause) {
    throw unreachable(response.url, cause)
  }
}

export const badAnswer = (url: string): AuthError =>
  new AuthError('bad_answer', `The answer of ${withoutQuery(url)} is not what it should be.`)

function errorOf(response: Response, body: Json | undefined): AuthError {
  const { status, headers } = response
  const code = body?.['error']
  const description = body?.['error_description']
  const retryAfter = Number(headers.get('Retry-After') ?? NaN)
  const options = {
    status,
    retryAfter: Number.isFinite(retryAfter) ? retryAfter : undefined,
    requestId: headers.get('X-Request-Id') ?? undefined,
  }
  if (typeof code === 'string' && /^[a-z_]{1,64}$/.test(code)) {
    return new AuthError(code, isText(description) ? description : code, options)
  }
  // A proxy, or the page of a hotel's network: nothing of it is a reason to sign anybody out.
  return new AuthError(
    'network',
    `${withoutQuery(response.url)} answered ${status}, and not as the server does.`,
    options,
  )
}

export const unreachable = (url: string, cause: unknown): AuthError =>
  new AuthError('network', `${withoutQuery(url)} cannot be reached.`, { cause })

/** A query may hold what an error must not. */
const withoutQuery = (url: string): string => url.replace(/[?#].*$/, '')
