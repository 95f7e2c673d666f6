import type { AppContext } from '../../http/context.ts'
import { HttpError } from '../../http/http-error.ts'
import { IdTokenRefused } from './id-token-refused.ts'

/**
 * For a `catch`: the one answer to every ID token that is refused (RFC 8693 §2.2.2). The log has the
 * reason. Any other error stays what it is.
 */
export function refusalOf(ctx: AppContext, error: unknown): unknown {
  if (!(error instanceof IdTokenRefused)) return error
  ctx.state.log.info({ reason: error.reason }, 'ID token refused')
  return new HttpError(
    'invalid_request',
    'The subject token is not valid, has expired, was used, or is of nobody known here.',
  )
}
