import cors from '@koa/cors'
import helmet from 'koa-helmet'

/** CORS for exactly the configured origins; with none, no header but `Vary`. Tokens travel in a header, so no cookies. */
export function crossOrigin(origins: readonly string[]) {
  return cors({
    origin: (ctx) => {
      const origin = ctx.get('Origin')
      return origins.includes(origin) ? origin : ''
    },
    allowMethods: 'GET,POST,PUT,PATCH,DELETE',
    allowHeaders: 'Authorization,Content-Type,X-Request-Id',
    exposeHeaders: 'Date,ETag,Retry-After,WWW-Authenticate,X-Request-Id',
    maxAge: 600,
  })
}

/** Helmet's headers, for a server whose answers are data: no page of it loads, frames or posts anything. */
export function securityHeaders() {
  return helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
    },
    xFrameOptions: { action: 'deny' },
    referrerPolicy: { policy: 'no-referrer' },
    // Answers are read across origins where CORS_ORIGINS allows it, and by no other way.
    crossOriginResourcePolicy: { policy: 'same-origin' },
  })
}
