import Router, { type RouterMiddleware } from '@koa/router'
import type { Handler, RequestState, SessionState } from '../context.ts'
import { bearer } from '../middleware/bearer.ts'
import { readBody } from '../middleware/body.ts'
import type { Services } from '../services.ts'
import { accountRoutes } from './account.ts'
import { clientRoutes } from './clients.ts'
import { discoveryRoutes } from './discovery.ts'
import { healthRoutes } from './health.ts'

/**
 * Every endpoint. `signedIn` routes need a living session; a route is public only where it says so.
 *
 * Yours to replace: your own routes go here.
 */
export function createRouter(services: Services) {
  const { open, signedIn, router } = routeTable(services)
  const health = healthRoutes(services)
  const discovery = discoveryRoutes(services)
  const client = clientRoutes(services)
  const account = accountRoutes(services)

  open('GET', '/healthz', health.live)
  open('GET', '/readyz', health.ready)
  open('GET', '/.well-known/jwks.json', discovery.jwks)
  open('GET', '/.well-known/oauth-authorization-server', discovery.metadata)
  open('GET', '/keys/sig.pem', discovery.pem('sig'))
  open('GET', '/keys/enc.pem', discovery.pem('enc'))

  open('POST', '/clients', client.register)
  open('GET', '/clients/:client_id/configuration', client.configuration)

  open('POST', '/account', account.signUp)
  open('POST', '/account/login', account.login)
  signedIn('POST', '/account/logout', account.logout)
  signedIn('GET', '/account', account.read)
  signedIn('PATCH', '/account', account.rename)
  signedIn('DELETE', '/account', account.remove)

  return router
}

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

function routeTable({ tokens, sessions }: Services) {
  // One path has one spelling: a request may be bound to it.
  const router = new Router({ sensitive: true, strict: true })
  const add = (method: Method, path: string, ...handlers: unknown[]) => {
    const named: RouterMiddleware<RequestState> = async (ctx, next) => {
      ctx.state.route = path
      await next()
    }
    router.register(path, [method], [named, readBody(), ...handlers] as RouterMiddleware[])
  }
  const authenticate = bearer(tokens, sessions)
  return {
    router,
    open: (method: Method, path: string, handler: Handler) => {
      add(method, path, handler)
    },
    signedIn: (method: Method, path: string, handler: Handler<SessionState>) => {
      add(method, path, authenticate, handler)
    },
  }
}
