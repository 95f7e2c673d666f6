import cors from '@koa/cors'

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
