import Router, { type RouterMiddleware } from '@koa/router'
import type { Next } from 'koa'
import { readBody } from './body.ts'
import type { AppContext, AppMiddleware, Handler, RequestState } from './context.ts'
import { descriptionOf, documented } from './documented.ts'

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

/** A middleware, or the handler as the last step. */
export type Step<State> = (ctx: AppContext<State>, next: Next) => unknown

/** A route with everything that it runs, for the API documents. */
export interface Route {
  readonly method: Method
  readonly path: string
  readonly steps: readonly object[]
}

type OpenStep = Step<RequestState>

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
  /** The routes so far. */
  readonly routes: readonly Route[]
}

/** What features add to every route. */
interface RouteAdditions {
  /** Further media types of bodies: see `readBody`. */
  readonly bodyTypes: readonly string[]
  /** Run once the access token has been accepted, before the route's own steps. */
  readonly afterToken: readonly AppMiddleware[]
}

/**
 * Creates a table of routes and the router that serves it.
 *
 * @param authenticate Refuses a request without a valid access token, and puts the session on
 *   `ctx.state`.
 */
export function createRouteTable<SignedIn>(
  authenticate: Step<SignedIn>,
  { bodyTypes, afterToken }: RouteAdditions,
): RouteTable<SignedIn> & { readonly router: Router } {
  // A path has only one spelling, because a token can be bound to it.
  const router = new Router({ sensitive: true, strict: true })
  const routes: Route[] = []

  function add(method: Method, path: string, token: OpenStep[], steps: OpenStep[]): void {
    // The second one would never run.
    const pattern = patternOf(path)
    if (routes.some((route) => route.method === method && patternOf(route.path) === pattern)) {
      throw new Error(`There is a route ${method} ${path} already.`)
    }
    const named: Step<RequestState> = (ctx, next) => {
      ctx.state.route = path
      return next()
    }
    const accepted: Step<RequestState> = async (ctx, next) => {
      await acceptBody(ctx)
      await next()
    }
    const handler = steps.slice(-1)
    // Its limits and scopes. With `limitWithin`, the handler calls `acceptBody` itself.
    const own = steps.slice(0, -1)
    if (!own.includes(limitWithin)) own.push(accepted)
    const all = [named, readBody(bodyTypes), ...token, ...afterToken, ...own, ...handler]
    router.register(path, [method], all as RouterMiddleware[])
    routes.push({ method, path, steps: all })
  }
  return {
    router,
    routes,
    open(method, path, ...steps) {
      add(method, path, [], steps)
    },
    signedIn(method, path, ...steps) {
      // Safe casts: the steps after `authenticate` find a session on `ctx.state`.
      add(method, path, [authenticate as OpenStep], steps as OpenStep[])
    },
  }
}

/** A path without the names of its parameters, which make no difference to a request. */
const patternOf = (path: string): string => path.replaceAll(/:\w+/g, ':')

/**
 * Marks a handler whose body holds a password or somebody's token: a feature can insist that such a
 * body is sealed.
 *
 * @example
 * open('POST', '/account', limit('signUp'), secretBody(signIn.signUp))
 */
export function secretBody<State extends RequestState>(handler: Handler<State>): Handler<State> {
  async function secretBody(ctx: AppContext<State>): Promise<void> {
    ctx.state.bodyRules?.acceptSecret?.()
    await handler(ctx)
  }
  return documented(secretBody, { ...descriptionOf(handler), hasSecret: true })
}

/**
 * Stands in for `rateLimit` on a route whose handler counts requests itself. It must call
 * `acceptBody` when it has.
 */
export const limitWithin = documented<AppMiddleware>((_ctx, next) => next(), {
  429: ['rate_limited'],
})

/**
 * Lets a feature refuse a body that was used before. Called after the limits, so that nobody can use
 * bodies up faster than they allow, and before the first effect.
 *
 * @throws HttpError, UnavailableError, TooManyTries.
 */
export async function acceptBody({ state }: AppContext): Promise<void> {
  await state.bodyRules?.accept?.()
}
