import Router, { type RouterMiddleware } from '@koa/router'
import type { Next } from 'koa'
import type { AppContext, RequestState, SessionState } from './http/context.ts'
import type { LimitedAction } from './limits/rate-limits.ts'
import { bearer } from './http/bearer.ts'
import { readBody } from './http/body.ts'
import { rateLimit } from './http/rate-limit.ts'
import { requireScope } from './http/require-scope.ts'
import type { Services } from './composition.ts'
import { accountRoutes } from './accounts/routes.ts'
import { adminRoutes } from './features/admin/routes.ts'
import { clientRoutes } from './clients/routes.ts'
import { discoveryRoutes } from './discovery/metadata.ts'
import { healthRoutes } from './discovery/health.ts'
import { loginRoutes } from './sessions/sign-in-routes.ts'
import { passwordRoutes } from './accounts/password-routes.ts'
import { playgroundRoutes } from './features/playground/routes.ts'
import { sessionRoutes } from './sessions/routes.ts'
import { tokenRoutes } from './sessions/token-routes.ts'

/**
 * Every endpoint. `signedIn` routes need a living session; a route is open only where it says so.
 *
 * Yours to replace: your own routes go here.
 */
export function createRouter(services: Services) {
  const { router, open, signedIn, limit } = routeTable(services)
  const health = healthRoutes(services)
  const discovery = discoveryRoutes(services)
  const client = clientRoutes(services)
  const account = accountRoutes(services)
  const { login, logout } = loginRoutes(services)
  const password = passwordRoutes(services)
  const session = sessionRoutes(services)
  const token = tokenRoutes(services)
  const admin = adminRoutes(services)
  const isAdmin = requireScope('admin')

  open('GET', '/healthz', health.live)
  open('GET', '/readyz', health.ready)
  open('GET', '/.well-known/jwks.json', discovery.jwks)
  open('GET', '/.well-known/oauth-authorization-server', discovery.metadata)
  open('GET', '/keys/sig.pem', discovery.pem('sig'))
  open('GET', '/keys/enc.pem', discovery.pem('enc'))

  open('POST', '/clients', limit('clients'), client.register)
  open(
    'GET',
    '/clients/:client_id/configuration',
    limit('clients', 'configuration'),
    client.configuration,
  )

  open('POST', '/account', limit('signUp'), account.signUp)
  // Its limit is within: a known client does not use up that of its address.
  open('POST', '/account/login', login)
  signedIn('POST', '/account/logout', logout)
  signedIn('GET', '/account', account.read)
  signedIn('PATCH', '/account', account.rename)
  signedIn('DELETE', '/account', account.remove)

  open('POST', '/account/password-reset', limit('reset'), password.requestReset)
  open('PUT', '/account/password-reset', limit('reset', 'token'), password.reset)
  signedIn('PUT', '/account/password', password.change)

  signedIn('GET', '/account/sessions', session.list)
  signedIn('DELETE', '/account/sessions', session.endOthers)
  signedIn('DELETE', '/account/sessions/:session_id', session.endOne)

  open('POST', '/token', limit('refresh'), token.refresh)
  open('POST', '/revoke', limit('refresh'), token.revoke)

  if (!services.config.production) {
    const playground = playgroundRoutes()
    open('GET', '/', playground.file('index.html'))
    open('GET', '/playground/playground.css', playground.file('playground.css'))
    open('GET', '/playground/playground.js', playground.file('playground.js'))
    open('GET', '/playground/client.js', playground.file('client.js'))
    open('GET', '/playground/icon.svg', playground.file('icon.svg'))
  }

  signedIn('GET', '/admin/accounts', isAdmin, admin.list)
  signedIn('DELETE', '/admin/accounts/:id/sessions', isAdmin, admin.endSessions)

  return router
}

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
type Step<State> = (ctx: AppContext<State>, next: Next) => unknown

function routeTable(services: Services) {
  // One path has one spelling: a request may be bound to it.
  const router = new Router({ sensitive: true, strict: true })
  const open = (method: Method, path: string, ...steps: Step<RequestState>[]) => {
    const named: RouterMiddleware<RequestState> = async (ctx, next) => {
      ctx.state.route = path
      await next()
    }
    router.register(path, [method], [named, readBody(), ...steps] as RouterMiddleware[])
  }
  const authenticate = bearer(services) as Step<RequestState>
  /** What follows `authenticate` finds a session on `ctx.state`. */
  const behind = (...steps: Step<SessionState>[]) => steps as Step<RequestState>[]
  return {
    router,
    open,
    signedIn: (method: Method, path: string, ...steps: Step<SessionState>[]) => {
      open(method, path, authenticate, ...behind(...steps))
    },
    limit: (action: LimitedAction, part?: string) => rateLimit(services.rateLimits, action, part),
  }
}
