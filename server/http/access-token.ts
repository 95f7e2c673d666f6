import { TokenError } from '../errors/token-error.ts'
import { audit } from '../log/audit.ts'
import type { Logger } from '../log/logger.ts'
import type { RefusedTokens } from '../log/refused-tokens.ts'
import type { IncomingRequest } from '../token/request-binding.ts'
import { HttpError, tokenExpired, tokenRefused, tokenRequired } from './http-error.ts'

/** Where an access token can be in a request. */
interface TokenPlaces {
  /** Every Authorization header. */
  readonly authorization: readonly string[]
  /** Whether the query or the body has an `access_token`. */
  readonly isElsewhere: () => boolean
}

/**
 * Reads the token from the Authorization header, if there is one. A token in the query or the body
 * is never used.
 *
 * @throws HttpError 400 if there is a token in two places (RFC 6750 §2).
 */
export function readToken({ authorization, isElsewhere }: TokenPlaces): string | undefined {
  const [value = '', ...others] = authorization
  if (others.length > 0) {
    throw new HttpError('invalid_request', 'There is more than one Authorization header.')
  }
  const [, token] = /^bearer +(.*)$/i.exec(value) ?? []
  if (token === undefined || token === '') return undefined
  if (isElsewhere()) {
    throw new HttpError('invalid_request', 'The access token is in more than one place.')
  }
  return token
}

interface TokenLogs {
  readonly log: Logger
  readonly refusedTokens: RefusedTokens
}

/**
 * Checks the access token of a request. Every refused token gets the same answer (RFC 6750 §3). The
 * log has the reasons: each one at debug level, and their counts at info level.
 *
 * @param check Throws TokenError to refuse the token. Any other error says nothing about the token
 *   and passes through.
 * @throws HttpError 401
 */
export async function checkToken<T>(
  token: string | undefined,
  check: (token: string) => Promise<T>,
  { log, refusedTokens }: TokenLogs,
): Promise<T> {
  if (token === undefined) throw tokenRequired()
  try {
    return await check(token)
  } catch (error) {
    // A database that fails, for instance, is no reason to sign the client out.
    if (!(error instanceof TokenError)) throw error
    refusedTokens.count(error.reason)
    log.debug({ reason: error.reason }, 'access token refused')
    throw error.code === 'token_expired' ? tokenExpired() : tokenRefused()
  }
}

/** Audits a bound request that was sent a second time. */
export const auditReplay =
  (log: Logger): IncomingRequest['onReplay'] =>
  ({ sub, sid, client_id }) => {
    audit(log, 'request_replayed', { account_id: sub, session_id: sid, client_id })
  }
