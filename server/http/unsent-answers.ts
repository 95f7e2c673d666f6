import type { AppContext } from './context.ts'
import type { Logger } from '../log/logger.ts'

/** How Node says that the other side of a connection has gone. */
const GONE = new Set(['ECONNABORTED', 'ECONNRESET', 'EPIPE', 'ERR_STREAM_PREMATURE_CLOSE'])

/**
 * For Koa's `error` event: logs an answer that could not be sent. That a client went away is no fault
 * and leaves no stack in the log.
 */
export function unsentAnswers(logger: Logger) {
  return function unsentAnswer(error: unknown, ctx?: AppContext): void {
    const { code } = error as { code?: unknown }
    // With the connection open, such a code speaks of somebody else's: a database's, for instance.
    if (ctx?.req.socket.destroyed === true && typeof code === 'string' && GONE.has(code)) {
      logger.debug({ request_id: ctx.state.requestId, code }, 'client went away')
    } else {
      logger.error({ request_id: ctx?.state.requestId, err: error }, 'answer could not be sent')
    }
  }
}
