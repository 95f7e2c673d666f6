import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import cors from '@koa/cors'
import helmet from 'helmet'
import type { AppMiddleware } from './context.ts'

/**
 * Allows requests from the given origins only (CORS). Without origins, the only header is `Vary`.
 * Credentials mode stays off: tokens are sent in a header, not in cookies.
 */
export function crossOrigin(origins: readonly string[]) {
  return cors({
    origin: (ctx) => origins.find((origin) => origin === ctx.get('Origin')) ?? '',
    allowMethods: 'GET,POST,PUT,PATCH,DELETE',
    allowHeaders: 'Authorization,Content-Type,X-Request-Id',
    exposeHeaders: 'Date,ETag,Retry-After,WWW-Authenticate,X-Request-Id',
    maxAge: 600,
  })
}

/**
 * Helmet's headers for a server that answers with data, so its answers may load and frame nothing.
 */
export function securityHeaders(): AppMiddleware {
  // They are the same for every answer.
  const example = new ServerResponse(new IncomingMessage(new Socket()))
  const setHeaders = helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
    },
    xFrameOptions: { action: 'deny' },
    referrerPolicy: { policy: 'no-referrer' },
    // Other origins can read answers only if CORS_ORIGINS allows it.
    crossOriginResourcePolicy: { policy: 'same-origin' },
  })
  setHeaders(example.req, example, () => undefined)
  const headers = Object.entries(example.getHeaders() as Record<string, string>)
  return function securityHeaders(ctx, next) {
    for (const [name, value] of headers) ctx.res.setHeader(name, value)
    return next()
  }
}
