import { randomUUID } from 'node:crypto'
import type { AppMiddleware, RequestState } from './context.ts'
import type { Logger } from '../log/logger.ts'
import { observersOf, type AccessLine } from '../log/observers.ts'
import { ACCESS_LINE } from '../log/output.ts'
import { parseTraceparent } from '../log/traceparent.ts'

/** Ids that are short and harmless in a log line. Others are replaced. */
const WELL_FORMED = /^[A-Za-z0-9_-]{1,128}$/

/** The client's `X-Request-Id` if it is well-formed, or else a new one. */
export const toRequestId = (given: unknown): string =>
  typeof given === 'string' && WELL_FORMED.test(given) ? given : randomUUID()

/** Gives each request an id, which the answer and every log line contain. */
export function requestId(logger: Logger): AppMiddleware {
  return function requestId(ctx, next) {
    const id = toRequestId(ctx.get('X-Request-Id'))
    ctx.state = new State(id, logger)
    ctx.set('X-Request-Id', id)
    return next()
  }
}

/** Most requests write no line but the one of the access log, so their logger is made on demand. */
class State implements RequestState {
  readonly requestId: string
  declare bodyBytes: Buffer
  readonly #logger: Logger
  #log: Logger | undefined

  constructor(requestId: string, logger: Logger) {
    this.requestId = requestId
    this.#logger = logger
  }

  get log(): Logger {
    return (this.#log ??= this.#logger.child({ request_id: this.requestId }))
  }
}

/**
 * Writes one log line per request. It has the pattern of the route instead of the URL, and no
 * address, header or body. Only the ids of the request and of its trace can come from the client.
 */
export function accessLog(logger: Logger): AppMiddleware {
  // Its members are known to hold no secret, and looking for one in each line is expensive.
  const lines = logger.child({}, { redact: [] })
  return async function accessLog(ctx, next) {
    const start = performance.now()
    await next()
    const line: AccessLine = {
      request_id: ctx.state.requestId,
      ...parseTraceparent(ctx.get('traceparent')),
      method: ctx.method,
      route: ctx.state.route ?? null,
      status: ctx.status,
      ...ctx.state.logged,
      ms: Math.round((performance.now() - start) * 10) / 10,
    }
    // log/output.ts buffers lines with this message.
    lines.info(line, ACCESS_LINE)
    for (const { onRequest } of observersOf(logger)) onRequest?.(line)
  }
}
