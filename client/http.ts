import { AuthError } from './errors.ts'
import { isText, parseObject, type Json } from './json.ts'

export type Fetch = (request: Request) => Promise<Response>

/** Milliseconds that one of the library's own requests may take. */
export const TIMEOUT = 30_000

/**
 * Sends one of the library's own requests: without cookies or redirects, and never from the cache
 * without revalidation.
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

/** Fetches for a caller. Throws `network` if there is no answer, unless the caller aborted. */
export async function reach(fetch: Fetch, request: Request): Promise<Response> {
  try {
    return await fetch(request)
  } catch (cause) {
    if (request.signal.aborted) throw cause
    throw unreachable(request.url, cause)
  }
}

/** The `init` of a request with a JSON body. */
export const json = (body: unknown, method = 'POST'): RequestInit => ({
  method,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
})

/**
 * The JSON object of a successful answer; an empty object for 204 or 202 without one.
 *
 * @throws AuthError with the server's code for an error answer; `network` for any other answer, such
 *   as a proxy's error page.
 */
export async function readAnswer(response: Response): Promise<Json> {
  const text = await textOf(response)
  // Parses only what says that it is JSON. Otherwise, a proxy could send forged JSON under another
  // media type, because `openAnswer` lets other plain answers through.
  const body = isJson(response) ? parseObject(text) : undefined
  if (!response.ok) throw errorOf(response, body)
  if (body !== undefined) return body
  if (response.status === 204 || response.status === 202) return {}
  throw errorOf(response, undefined)
}

/** The whole text of an answer. @throws AuthError `network` if the connection breaks. */
export async function textOf(response: Response): Promise<string> {
  try {
    return await response.text()
  } catch (cause) {
    throw unreachable(response.url, cause)
  }
}

/** The media type of a request or an answer, without parameters; empty without one. */
export const mediaTypeOf = ({ headers }: Request | Response): string =>
  (headers.get('content-type') ?? '').replace(/;.*$/, '').trim().toLowerCase()

/** Whether a message says that it is JSON (RFC 6839 §3.1). */
export const isJson = (message: Request | Response): boolean =>
  /^application\/(.+\+)?json$/.test(mediaTypeOf(message))

/** The date of an answer (RFC 9110 §6.6.1) in seconds since the epoch; NaN without one. */
export const dateOf = ({ headers }: Response): number =>
  Date.parse(headers.get('Date') ?? '') / 1000

export const badAnswer = (url: string): AuthError =>
  new AuthError('bad_answer', `${withoutQuery(url)} gave an unexpected answer.`)

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
  // From a proxy, or a captive portal: not a reason to sign anybody out.
  return new AuthError(
    'network',
    `${withoutQuery(response.url)} answered ${status}, probably from a proxy.`,
    options,
  )
}

export const unreachable = (url: string, cause: unknown): AuthError =>
  new AuthError('network', `${withoutQuery(url)} cannot be reached.`, { cause })

/** A query may hold secrets, which must not appear in an error. */
const withoutQuery = (url: string): string => url.replace(/[?#].*$/, '')
