import type { AppContext } from '../http/context.ts'
import type { Logger } from '../log/logger.ts'

/** Node's error codes for a connection that the other side has closed. */
const GONE = new Set(['ECONNABORTED', 'ECONNRESET', 'EPIPE', 'ERR_STREAM_PREMATURE_CLOSE'])

/**
 * A listener for Koa's `error` event that logs answers that could not be sent. If the client has
 * disconnected, that is not an error, and the log has no stack.
 */
export function unsentAnswers(logger: Logger) {
  return function unsentAnswer(error: unknown, ctx?: AppContext): void {
    const { code } = error as { code?: unknown }
    // If the connection is still open, the code is about another one, such as the database's.
    if (ctx?.req.socket.destroyed === true && typeof code === 'string' && GONE.has(code)) {
      logger.debug({ request_id: ctx.state.requestId, code }, 'client went away')
    } else {
      logger.error({ request_id: ctx?.state.requestId, err: error }, 'answer could not be sent')
    }
  }
}
