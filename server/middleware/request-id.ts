import { randomUUID } from 'node:crypto'
import type { AppMiddleware } from '../context.ts'
import type { Logger } from '../logger.ts'

/** Short and harmless in a log line: anything else is replaced. */
const WELL_FORMED = /^[A-Za-z0-9_-]{1,128}$/

/** Names the request, by the caller's `X-Request-Id` where it is well-formed, in the answer and the log. */
export function requestId(logger: Logger): AppMiddleware {
  return async function requestId(ctx, next) {
    const given = ctx.get('X-Request-Id')
    ctx.state.requestId = WELL_FORMED.test(given) ? given : randomUUID()
    ctx.state.log = logger.child({ request_id: ctx.state.requestId })
    ctx.set('X-Request-Id', ctx.state.requestId)
    await next()
  }
}
