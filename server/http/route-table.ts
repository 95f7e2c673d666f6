import Router, { type RouterMiddleware } from '@koa/router'
import type { Next } from 'koa'
import type { AppContext, RequestState } from './context.ts'
import { readBody } from './body.ts'

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

/** A middleware, or the handler as the last step. */
export type Step<State> = (ctx: AppContext<State>, next: Next) => unknown

/**
 * Routes are added to this table. A route needs an access token unless it is added with `open`.
 *
 * @typeParam SignedIn The type of `ctx.state` in the handlers of `signedIn` routes.
 */
export interface RouteTable<SignedIn> {
  /** Adds a public route, which needs no access token. */
  readonly open: (method: Method, path: string, ...steps: Step<RequestState>[]) => void
  /** Adds a route for signed-in people. Its handler finds the session on `ctx.state`. */
  readonly signedIn: (method: Method, path: string, ...steps: Step<SignedIn>[]) => void
}

/**
 * Creates a table of routes and the router that serves it.
 *
 * @param authenticate Refuses a request without a valid access token, and puts the session on
 *   `ctx.state`.
 */
export function createRouteTable<SignedIn>(
  authenticate: Step<SignedIn>,
): RouteTable<SignedIn> & { readonly router: Router } {
  // A path has only one spelling, because a token can be bound to it.
  const router = new Router({ sensitive: true, strict: true })

  const open: RouteTable<SignedIn>['open'] = (method, path, ...steps) => {
    const named: RouterMiddleware<RequestState> = (ctx, next) => {
      ctx.state.route = path
      return next()
    }
    router.register(path, [method], [named, readBody(), ...steps] as RouterMiddleware[])
  }
  return {
    router,
    open,
    signedIn(method, path, ...steps) {
      // Safe cast: the steps after `authenticate` find a session on `ctx.state`.
      open(method, path, ...([authenticate, ...steps] as Step<RequestState>[]))
    },
  }
}
