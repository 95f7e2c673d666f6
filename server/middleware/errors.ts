import type { AppMiddleware } from '../context.ts'
import { HttpError } from '../errors.ts'

/**
 * Writes every error. What was thrown on purpose is an HttpError and says what the client may know;
 * anything else is a fault of ours: a bare 500, with the cause in the log under the request id.
 */
export function errors(): AppMiddleware {
  return async function errors(ctx, next) {
    try {
      await next()
    } catch (thrown) {
      const error =
        thrown instanceof HttpError
          ? thrown
          : new HttpError('server_error', 'Something went wrong on the server.')
      if (thrown !== error) ctx.state.log.error({ err: thrown }, 'request failed')
      // What the handler had set was meant for another answer.
      ctx.remove('ETag')
      ctx.set('Cache-Control', 'no-store')
      ctx.set(error.headers)
      ctx.status = error.status
      ctx.body = error.body
    }
  }
}
