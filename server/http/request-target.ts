import type { AppMiddleware } from './context.ts'
import { HttpError } from './http-error.ts'
import { isRepeated } from './repeated-header.ts'

/** Characters of a Host header: a domain name of 255 (RFC 1035 §2.3.4), a colon and a port. */
const MAX_HOST = 261
/** Characters of a request target: more than RFC 9110 §4.1 asks for, and far more than any of ours. */
const MAX_TARGET = 8192

/**
 * Refuses a request target or a Host that is no URL (RFC 9112 §3.2), before anything reads them. A
 * host is bounded before it is parsed: a URL parser normalizes its Unicode, which takes quadratic
 * time, whether it is written in letters or in escapes.
 *
 * @throws HttpError 400; 414 for a URL that is too long.
 */
export function requestTarget(): AppMiddleware {
  return async function requestTarget(ctx, next) {
    const host = ctx.get('Host')
    const target = ctx.req.url ?? ''
    if (target.length > MAX_TARGET) {
      throw new HttpError('invalid_request', 'The URL is too long.', { status: 414 })
    }
    // Only HTTP/1.0 may leave it out.
    const isHost = host === '' ? ctx.req.httpVersion === '1.0' : isHostAndPort(host)
    if (!isHost || isRepeated(ctx.req, 'host') || !isTarget(target)) {
      throw new HttpError('invalid_request', 'The URL or the Host header is malformed.')
    }
    await next()
  }
}

/** A path, a whole URL, or the server itself. */
function isTarget(target: string): boolean {
  if (target.startsWith('/') || target === '*') return true
  const host = /^https?:\/\/([^/?#]+)/i.exec(target)?.[1]
  return host !== undefined && isHostAndPort(host)
}

const isHostAndPort = (host: string): boolean =>
  host.length <= MAX_HOST && URL.canParse(`http://${host}`)
