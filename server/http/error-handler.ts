import type { AppMiddleware } from './context.ts'
import type { Logger } from '../log/logger.ts'
import { tokenRefused } from './bearer-challenge.ts'
import { HttpError, rateLimited, unavailable } from './http-error.ts'
import { RefusedError } from '../errors/refused-error.ts'
import { TooManyTries } from '../errors/too-many-tries.ts'
import { UnavailableError } from '../errors/unavailable-error.ts'

/** Writes the answer to every error. */
export function errors(): AppMiddleware {
  return async function errors(ctx, next) {
    try {
      await next()
    } catch (thrown) {
      const error = toHttpError(thrown, ctx.state.log)
      if (thrown instanceof TooManyTries) ctx.state.logged = { limit: thrown.limit }
      // The handler may have set these for a successful answer.
      ctx.remove('ETag')
      ctx.set('Cache-Control', 'no-store')
      ctx.set(error.headers)
      ctx.status = error.status
      ctx.body = error.body
    }
  }
}

/**
 * The answer to an error. An HttpError has the answer, and domain errors are translated here. A
 * TokenError is answered by whoever checks a token. Any other error is a bug: the client gets a plain
 * 500, and the log has the error with the request id.
 */
export function toHttpError(thrown: unknown, log: Logger): HttpError {
  const error = translate(thrown)
  if (error.code === 'server_error' || hasCause(thrown))
    log.error({ err: thrown }, 'request failed')
  return error
}

function translate(thrown: unknown): HttpError {
  if (thrown instanceof HttpError) return thrown
  if (thrown instanceof TooManyTries) return rateLimited(thrown.retryAfter)
  if (thrown instanceof UnavailableError) return unavailable(thrown.retryAfter)
  if (thrown instanceof RefusedError) return toAnswer(thrown)
  return new HttpError('server_error', 'Something went wrong on the server.')
}

function toAnswer({ reason, message }: RefusedError): HttpError {
  switch (reason) {
    case 'unknown_client':
      return new HttpError('invalid_client', 'client_id does not belong to a registered client.')
    case 'invalid_client_metadata':
      return new HttpError('invalid_client_metadata', message)
    case 'weak_password':
      return new HttpError('invalid_request', message)
    case 'wrong_password':
      return new HttpError('invalid_grant', 'The password is wrong.')
    case 'session_ended':
      return tokenRefused()
    case 'account_changed':
      return new HttpError('invalid_grant', 'The password was changed in the meantime.')
  }
}

/** A deliberate refusal has no cause. An error that follows from another failure has one. */
const hasCause = (thrown: unknown): boolean => thrown instanceof Error && thrown.cause !== undefined
