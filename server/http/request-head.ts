import type { IncomingMessage } from 'node:http'
import type { AppMiddleware } from './context.ts'
import { HttpError } from './http-error.ts'

/**
 * The most characters of a Host header: a domain name of 255 (RFC 1035 §2.3.4), a colon and a port.
 */
const MAX_HOST = 261
/** The most characters of a request target: more than RFC 9110 §4.1 and our own routes need. */
const MAX_TARGET = 8192

/**
 * Refuses a malformed request target or Host (RFC 9112 §3.2) before anything else reads them. The
 * length of a host is checked before it is parsed: URL parsers normalize its Unicode, escaped or
 * not, in quadratic time.
 *
 * @throws HttpError 400; 414 for a URL that is too long.
 */
export function requestTarget(): AppMiddleware {
  return function requestTarget(ctx, next) {
    const host = ctx.get('Host')
    const target = ctx.req.url ?? ''
    if (target.length > MAX_TARGET) {
      throw new HttpError('invalid_request', 'The URL is too long.', { status: 414 })
    }
    // Only HTTP/1.0 allows requests without a Host.
    const isHost = host === '' ? ctx.req.httpVersion === '1.0' : isHostAndPort(host)
    if (!isHost || isRepeated(ctx.req, 'host')) {
      throw new HttpError('invalid_request', 'The Host header is malformed, missing or repeated.')
    }
    if (!isTarget(target)) throw new HttpError('invalid_request', 'The URL is malformed.')
    return next()
  }
}

/** A path, an absolute URL, or `*` for the server itself. */
function isTarget(target: string): boolean {
  if (target.startsWith('/') || target === '*') return true
  const host = /^https?:\/\/([^/?#]+)/i.exec(target)?.[1]
  return host !== undefined && isHostAndPort(host)
}

const isHostAndPort = (host: string): boolean =>
  host.length <= MAX_HOST && URL.canParse(`http://${host}`)

/** Whether a header was sent more than once. */
export const isRepeated = ({ rawHeaders }: IncomingMessage, name: string): boolean =>
  headerValues(rawHeaders, name).length > 1

/**
 * Every value of a header. Node silently joins repeated headers or keeps the first, so this looks
 * at the raw headers: names and values in turn.
 *
 * @param name In lower case.
 */
export const headerValues = (rawHeaders: readonly string[], name: string): string[] =>
  rawHeaders.filter((_, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === name)
