import { ACCESS_LINE } from '../log/output.ts'
import type { AppMiddleware } from './context.ts'

/**
 * One line a request. The route's pattern and not the URL, no address, no header, no body: nothing
 * that somebody sent is in it but the request id.
 */
export function accessLog(): AppMiddleware {
  return async function accessLog(ctx, next) {
    const start = performance.now()
    await next()
    ctx.state.log.info(
      {
        method: ctx.method,
        route: ctx.state.route ?? null,
        status: ctx.status,
        ...ctx.state.logged,
        ms: Math.round((performance.now() - start) * 10) / 10,
      },
      ACCESS_LINE,
    )
  }
}
