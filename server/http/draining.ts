import type { AppMiddleware } from './context.ts'
import { HttpError } from './http-error.ts'

/** What a load balancer asks while the server stops. */
const STILL_ANSWERED = new Set(['/healthz', '/readyz'])

/** Before the server is ready, and while requests in flight finish, sends new ones elsewhere. */
export function draining(isStopping: () => boolean): AppMiddleware {
  return async function draining(ctx, next) {
    if (isStopping() && !STILL_ANSWERED.has(ctx.path)) {
      throw new HttpError(
        'temporarily_unavailable',
        'The server is starting or stopping. Try again.',
        {
          headers: { 'Retry-After': '1' },
        },
      )
    }
    await next()
  }
}
