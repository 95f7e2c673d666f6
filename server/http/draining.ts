import type { AppMiddleware } from './context.ts'
import { unavailable } from './http-error.ts'

/** Load balancers need these while the server stops. */
const STILL_ANSWERED = new Set(['/healthz', '/readyz'])

/** Refuses requests while the server starts or stops, so that they go to another server. */
export function draining(isStopping: () => boolean): AppMiddleware {
  return function draining(ctx, next) {
    if (isStopping() && !STILL_ANSWERED.has(ctx.path)) {
      throw unavailable(1, 'The server is starting or stopping. Try again.')
    }
    return next()
  }
}
