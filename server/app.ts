import Koa from 'koa'
import type { Core } from './composition.ts'
import type { FeatureParts } from './feature.ts'
import type { AppMiddleware, RequestState } from './http/context.ts'
import { accessLog, requestId } from './http/request-log.ts'
import { crossOrigin, securityHeaders } from './http/response-headers.ts'
import { errors } from './http/error-handler.ts'
import { unavailable } from './http/http-error.ts'
import { noRoute } from './http/no-route.ts'
import { requestTarget } from './http/request-head.ts'
import { unsentAnswers } from './listener/unsent-answers.ts'
import { createRouter } from './routes.ts'

/** Load balancers need these while the server starts or stops. */
const ALWAYS_ANSWERED = new Set(['/healthz', '/readyz'])

/**
 * Builds the Koa app: the middleware in order, then the routes. It neither listens nor reads the
 * environment: see start.ts.
 */
export function createApp(core: Core, features: readonly FeatureParts[]): Koa<RequestState> {
  const { corsOrigins, trustedProxies } = core.config
  const app = new Koa<RequestState>({
    // Only the entries of X-Forwarded-For that our own proxies wrote count.
    proxy: trustedProxies > 0,
    maxIpsCount: trustedProxies,
  })
  app.use(requestId(core.logger))
  app.use(accessLog(core.logger))
  app.use(securityHeaders())
  app.use(crossOrigin(corsOrigins))
  app.use(errors())
  app.use(requestTarget())
  app.use(notStored)
  app.use(unlessServing(core.isServing))
  for (const { middleware } of features) if (middleware !== undefined) app.use(middleware)
  app.use(createRouter(core, features).routes())
  app.use(noRoute())
  app.on('error', unsentAnswers(core.logger))
  return app
}

/** Most answers carry a token, a key or account data. Other routes set Cache-Control themselves. */
const notStored: AppMiddleware = (ctx, next) => {
  ctx.set('Cache-Control', 'no-store')
  return next()
}

/** Refuses requests while the server starts or stops, so that they go to another server. */
function unlessServing(isServing: () => boolean): AppMiddleware {
  return function unlessServing(ctx, next) {
    if (!isServing() && !ALWAYS_ANSWERED.has(ctx.path)) {
      throw unavailable(1, 'The server is starting or stopping. Try again.')
    }
    return next()
  }
}
