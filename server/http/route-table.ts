import Router, { type RouterMiddleware } from '@koa/router'
import type { Next } from 'koa'
import type { AppContext, RequestState } from './context.ts'
import { readBody } from './body.ts'

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

/** A middleware, or the handler at the end. */
export type Step<State> = (ctx: AppContext<State>, next: Next) => unknown

/**
 * Where routes are added. Each is protected unless it is added as `open`.
 *
 * @typeParam SignedIn What a handler finds on `ctx.state` where people are signed in.
 */
export interface RouteTable<SignedIn> {
  /** A public route: it takes no access token. */
  readonly open: (method: Method, path: string, ...steps: Step<RequestState>[]) => void
  /** A route for people who are signed in: its handler finds the session on `ctx.state`. */
  readonly signedIn: (method: Method, path: string, ...steps: Step<SignedIn>[]) => void
}

/**
 * A table of routes and the router that serves it.
 *
 * @param authenticate Lets a request through whose access token is good, and puts its session on
 *   `ctx.state`.
 */
export function createRouteTable<SignedIn>(
  authenticate: Step<SignedIn>,
): RouteTable<SignedIn> & { readonly router: Router } {
  // One path has one spelling: a request may be bound to it.
  const router = new Router({ sensitive: true, strict: true })

  const open: RouteTable<SignedIn>['open'] = (method, path, ...steps) => {
    const named: RouterMiddleware<RequestState> = async (ctx, next) => {
      ctx.state.route = path
      await next()
    }
    router.register(path, [method], [named, readBody(), ...steps] as RouterMiddleware[])
  }
  return {
    router,
    open,
    signedIn(method, path, ...steps) {
      // What follows `authenticate` finds a session on `ctx.state`.
      open(method, path, ...([authenticate, ...steps] as Step<RequestState>[]))
    },
  }
}
