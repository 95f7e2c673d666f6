import { MAX_BODY } from '../../protocol/limits.ts'
import { readToken } from '../http/access-token.ts'
import { HttpError } from '../http/http-error.ts'
import { headerValues } from '../http/request-head.ts'
import type { Logger } from '../log/logger.ts'
import { parseObject } from '../token/compact.ts'

/** A request, as every framework can describe it. */
export interface ServiceRequest {
  readonly method: string
  /** The request target or the whole URL. Its origin is ignored: `ServiceAuthOptions.url` counts. */
  readonly url: string
  /** Names and values in turn, like Node's `rawHeaders`. A record would hide repeated headers. */
  readonly headers: readonly string[]
  /** The body exactly as it was sent: neither parsed nor decompressed. */
  readonly body: Uint8Array | undefined
  /** The logger of this request. By default, that of the service. */
  readonly log?: Logger
}

/** What the verifier needs of a request. */
interface ReadRequest {
  readonly token: string | undefined
  readonly path: string
  readonly body: Uint8Array
}

/** A path and a query, after the origin of a whole URL (RFC 9112 §3.2). */
const TARGET = /^(?:https?:\/\/[^/?#]*)?(\/[^?#]*)(?:\?([^#]*))?/i

/**
 * Reads the access token of a request, and what the token can be bound to.
 *
 * @throws HttpError 400 for a token in two places, a malformed URL or a body that was not read; 415
 *   for a compressed body, because the digest of a token is over the bytes that were sent.
 * @throws TypeError if the body is not bytes, because something has parsed it.
 */
export function readRequest({ url, headers, body }: ServiceRequest): ReadRequest {
  const [, path, query = ''] = TARGET.exec(url) ?? []
  if (path === undefined) throw new HttpError('invalid_request', 'The URL is malformed.')
  const encodings = headerValues(headers, 'content-encoding')
  if (!encodings.every((encoding) => /^(identity)?$/i.test(encoding))) {
    throw new HttpError('unsupported_media_type', 'Content-Encoding is not supported.')
  }
  if (body === undefined && hasBody(headers)) {
    throw new HttpError('invalid_request', 'This request must not have a body.')
  }
  if (body !== undefined && !ArrayBuffer.isView(body)) {
    throw new TypeError('The body of a request must be given as bytes.')
  }
  const bytes = body ?? new Uint8Array()
  const token = readToken(
    headers,
    () => new URLSearchParams(query).has('access_token') || isInBody(headers, bytes),
  )
  return { token, path, body: bytes }
}

/** RFC 9112 §6.3. */
const hasBody = (headers: readonly string[]): boolean =>
  headerValues(headers, 'transfer-encoding').length > 0 ||
  headerValues(headers, 'content-length').some((length) => Number(length) > 0)

/** Whether a form or a JSON object has an `access_token` (RFC 6750 §2.2). */
function isInBody(headers: readonly string[], body: Uint8Array): boolean {
  // The sender is not known yet. The auth server would not read a longer body at all.
  if (body.length > MAX_BODY) return false
  const [type = ''] = (headerValues(headers, 'content-type')[0] ?? '').toLowerCase().split(';')
  switch (type.trim()) {
    case 'application/x-www-form-urlencoded':
      return Boolean(new URLSearchParams(new TextDecoder().decode(body)).get('access_token'))
    case 'application/json':
      return Object.hasOwn(parseObject(body) ?? {}, 'access_token')
    default:
      return false
  }
}
