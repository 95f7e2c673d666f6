import Koa from 'koa'
import type { RequestState } from './context.ts'
import { accessLog } from './middleware/access-log.ts'
import { crossOrigin } from './middleware/cross-origin.ts'
import { errors } from './middleware/errors.ts'
import { draining } from './middleware/draining.ts'
import { noRoute } from './middleware/no-route.ts'
import { requestTarget } from './middleware/request-target.ts'
import { requestId } from './middleware/request-id.ts'
import { securityHeaders } from './middleware/security-headers.ts'
import { unsentAnswers } from './middleware/unsent-answers.ts'
import { createRouter } from './routes/index.ts'
import { createServices, type Dependencies } from './services.ts'

/** Builds the Koa app. It neither listens nor reads the environment: see start.ts. */
export function createApp(dependencies: Dependencies): Koa<RequestState> {
  const services = createServices(dependencies)
  const { corsOrigins, trustedProxies } = services.config
  const app = new Koa<RequestState>({
    // Of X-Forwarded-For, only what our own proxies have written is believed.
    proxy: trustedProxies > 0,
    maxIpsCount: trustedProxies,
  })
  app.use(requestId(services.logger))
  app.use(accessLog())
  app.use(securityHeaders())
  app.use(crossOrigin(corsOrigins))
  app.use(errors())
  app.use(requestTarget())
  app.use(async (ctx, next) => {
    // Most answers carry a token, a key or account data; those that do not say so themselves.
    ctx.set('Cache-Control', 'no-store')
    await next()
  })
  app.use(draining(services.isStopping))
  app.use(createRouter(services).routes())
  app.use(noRoute())
  app.on('error', unsentAnswers(services.logger))
  return app
}
