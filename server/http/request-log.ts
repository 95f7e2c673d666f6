import { randomUUID } from 'node:crypto'
import type { AppMiddleware } from './context.ts'
import type { Logger } from '../log/logger.ts'
import { ACCESS_LINE } from '../log/output.ts'

/** Ids that are short and harmless in a log line. Others are replaced. */
const WELL_FORMED = /^[A-Za-z0-9_-]{1,128}$/

/** The client's `X-Request-Id` if it is well-formed, or else a new one. */
export const toRequestId = (given: unknown): string =>
  typeof given === 'string' && WELL_FORMED.test(given) ? given : randomUUID()

/** Gives each request an id, which the answer and every log line contain. */
export function requestId(logger: Logger): AppMiddleware {
  return async function requestId(ctx, next) {
    ctx.state.requestId = toRequestId(ctx.get('X-Request-Id'))
    ctx.state.log = logger.child({ request_id: ctx.state.requestId })
    ctx.set('X-Request-Id', ctx.state.requestId)
    await next()
  }
}

/**
 * Writes one log line per request. It has the pattern of the route instead of the URL, and no
 * address, header or body. Only the request id can come from the client.
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
