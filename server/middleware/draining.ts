import type { AppMiddleware } from '../context.ts'
import { HttpError } from '../errors.ts'

/** What a load balancer asks while the server stops. */
const STILL_ANSWERED = new Set(['/healthz', '/readyz'])

/** While requests in flight finish, sends new ones elsewhere. */
export function draining(isStopping: () => boolean): AppMiddleware {
  return async function draining(ctx, next) {
    if (isStopping() && !STILL_ANSWERED.has(ctx.path)) {
      throw new HttpError('temporarily_unavailable', 'The server is stopping. Try again.', {
        headers: { 'Retry-After': '1' },
      })
    }
    await next()
  }
}
