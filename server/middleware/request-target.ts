import type { AppMiddleware } from '../context.ts'
import { HttpError } from '../errors.ts'

/** Refuses a request line or a Host that is no URL (RFC 9112 §3.2), before anything reads them. */
export function requestTarget(): AppMiddleware {
  return async function requestTarget(ctx, next) {
    const host = ctx.get('Host')
    const hosts = ctx.req.rawHeaders.filter(
      (name, index) => index % 2 === 0 && name.toLowerCase() === 'host',
    )
    // Only HTTP/1.0 may leave it out.
    const isHost = host === '' ? ctx.req.httpVersion === '1.0' : URL.canParse(`http://${host}`)
    if (!isHost || hosts.length > 1 || !URL.canParse(ctx.req.url ?? '', 'http://localhost')) {
      throw new HttpError('invalid_request', 'The URL or the Host header is malformed.')
    }
    await next()
  }
}
