import type { AppMiddleware } from './context.ts'
import { HttpError, rateLimited, tokenRefused, unavailable } from './http-error.ts'
import { RefusedError } from '../errors/refused-error.ts'
import { TooManyTries } from '../errors/too-many-tries.ts'
import { UnavailableError } from '../errors/unavailable-error.ts'

/**
 * Writes every error. An HttpError says what the client may know, and an error of the domain is
 * translated here. Anything else is a fault of ours: a bare 500, with the cause in the log under the
 * request id.
 */
export function errors(): AppMiddleware {
  return async function errors(ctx, next) {
    try {
      await next()
    } catch (thrown) {
      const error =
        toHttpError(thrown) ?? new HttpError('server_error', 'Something went wrong on the server.')
      if (error.code === 'server_error' || hasCause(thrown)) {
        ctx.state.log.error({ err: thrown }, 'request failed')
      }
      // The handler set these for another answer.
      ctx.remove('ETag')
      ctx.set('Cache-Control', 'no-store')
      ctx.set(error.headers)
      ctx.status = error.status
      ctx.body = error.body
    }
  }
}

function toHttpError(thrown: unknown): HttpError | undefined {
  if (thrown instanceof HttpError) return thrown
  if (thrown instanceof TooManyTries) return rateLimited(thrown.retryAfter)
  if (thrown instanceof UnavailableError) return unavailable(thrown.retryAfter)
  if (thrown instanceof RefusedError) return toAnswer(thrown)
  return undefined
}

function toAnswer({ reason, message }: RefusedError): HttpError {
  switch (reason) {
    case 'unknown_client':
      return new HttpError('invalid_client', 'client_id is not that of a registered client.')
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

/** A deliberate refusal has no cause; one that follows from another failure has. */
const hasCause = (thrown: unknown): boolean => thrown instanceof Error && thrown.cause !== undefined
