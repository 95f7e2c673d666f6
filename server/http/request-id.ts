import { randomUUID } from 'node:crypto'
import type { AppMiddleware } from './context.ts'
import type { Logger } from '../log/logger.ts'

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
