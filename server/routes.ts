import type Router from '@koa/router'
import { accountRoutes } from './accounts/routes.ts'
import { signInRoutes } from './accounts/sign-in-routes.ts'
import { clientRoutes } from './clients/routes.ts'
import type { Core } from './composition.ts'
import { healthRoutes } from './discovery/health.ts'
import { discoveryRoutes } from './discovery/routes.ts'
import type { FeatureParts } from './feature.ts'
import { rateLimit } from './http/rate-limit.ts'
import { createRouteTable, limitWithin, secretBody } from './http/route-table.ts'
import { authenticate } from './sessions/authenticate.ts'
import { tokenRoutes } from './sessions/routes.ts'

/**
 * Every endpoint of the core, then those of the features. `open` routes are public; `signedIn` routes
 * need an access token whose session is alive. http/route-table.ts says what `secretBody` and
 * `limitWithin` do.
 *
 * Yours to replace: your own routes go here, or into a feature.
 */
export function createRouter(core: Core, features: readonly FeatureParts[]): Router {
  const table = createRouteTable(authenticate(core), {
    bodyTypes: features.flatMap(({ bodyType }) => bodyType ?? []),
    afterToken: features.flatMap(({ afterToken }) => afterToken ?? []),
  })
  const { open, signedIn, router } = table
  const limit = (action: keyof Core['config']['rateLimits'], part?: string) =>
    rateLimit(core.rateLimits, action, part)

  const health = healthRoutes(core)
  open('GET', '/healthz', health.live)
  open('GET', '/readyz', health.ready)

  const discovery = discoveryRoutes(core, features)
  open('GET', '/.well-known/jwks.json', discovery.jwks)
  open('GET', '/.well-known/oauth-authorization-server', discovery.metadata)
  open('GET', '/keys/sig.pem', discovery.pem('sig'))
  open('GET', '/keys/enc.pem', discovery.pem('enc'))

  const client = clientRoutes(core)
  const configurationLimit = limit('clients', 'configuration')
  open('POST', '/clients', limit('clients'), client.register)
  open('GET', '/clients/:client_id/configuration', configurationLimit, client.configuration)

  const signIn = signInRoutes(core, features)
  open('POST', '/account', limit('signUp'), secretBody(signIn.signUp))
  // The handler applies the limit, because a known client has one of its own.
  open('POST', '/account/login', limitWithin, secretBody(signIn.login))

  const account = accountRoutes(core, features)
  signedIn('GET', '/account', account.read)
  signedIn('PATCH', '/account', account.rename)
  signedIn('DELETE', '/account', secretBody(account.remove))
  signedIn('PUT', '/account/password', secretBody(account.changePassword))
  signedIn('POST', '/account/logout', account.logout)

  const token = tokenRoutes(core, features)
  // The handlers apply the limits, because a token of a live session does not count for its
  // address.
  open('POST', '/token', limitWithin, token.grant)
  open('POST', '/revoke', limitWithin, token.revoke)

  // The routes of a feature are in its index.ts.
  for (const { routes } of features) routes?.(table)
  return router
}
