import Koa from 'koa'
import type { Core } from './composition.ts'
import type { FeatureParts } from './feature.ts'
import type { RequestState } from './http/context.ts'
import { accessLog, requestId } from './http/request-log.ts'
import { crossOrigin, securityHeaders } from './http/response-headers.ts'
import { errors } from './http/error-handler.ts'
import { draining } from './http/draining.ts'
import { noRoute } from './http/no-route.ts'
import { requestTarget } from './http/request-head.ts'
import { unsentAnswers } from './http/unsent-answers.ts'
import { createRouter } from './routes.ts'

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
  app.use((ctx, next) => {
    // Most answers carry a token, a key or account data. Other routes set Cache-Control themselves.
    ctx.set('Cache-Control', 'no-store')
    return next()
  })
  app.use(draining(core.isStopping))
  for (const { middleware } of features) if (middleware !== undefined) app.use(middleware)
  app.use(createRouter(core, features).routes())
  app.use(noRoute())
  app.on('error', unsentAnswers(core.logger))
  return app
}
