import type { AppContext } from '../../http/context.ts'
import { HttpError } from '../../http/http-error.ts'
import { IdTokenRefused } from './id-token-refused.ts'

/**
 * For a `catch`: turns every refusal of an ID token into the same answer (RFC 8693 §2.2.2), and logs the
 * reason. Returns any other error unchanged.
 */
export function refusalOf(ctx: AppContext, error: unknown): unknown {
  if (!(error instanceof IdTokenRefused)) return error
  ctx.state.log.info({ reason: error.reason }, 'ID token refused')
  return new HttpError(
    'invalid_request',
    'The subject token is not valid, has expired, was used, or belongs to no known account.',
  )
}
