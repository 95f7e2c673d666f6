import { randomUUID } from 'node:crypto'
import type { AppMiddleware } from './context.ts'
import type { Logger } from '../log/logger.ts'
import { ACCESS_LINE } from '../log/output.ts'

/** Short and harmless in a log line: anything else is replaced. */
const WELL_FORMED = /^[A-Za-z0-9_-]{1,128}$/

/** The caller's `X-Request-Id` if it is well-formed, else one of our own. */
export const toRequestId = (given: unknown): string =>
  typeof given === 'string' && WELL_FORMED.test(given) ? given : randomUUID()

/** Names the request, in the answer and in every line of the log. */
export function requestId(logger: Logger): AppMiddleware {
  return async function requestId(ctx, next) {
    ctx.state.requestId = toRequestId(ctx.get('X-Request-Id'))
    ctx.state.log = logger.child({ request_id: ctx.state.requestId })
    ctx.set('X-Request-Id', ctx.state.requestId)
    await next()
  }
}

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
