import { TokenError } from '../errors/token-error.ts'
import { audit } from '../log/audit.ts'
import type { RefusedTokens } from '../log/refused-tokens.ts'
import type { IncomingRequest } from '../token/request-binding.ts'
import type { AppContext, RequestState } from './context.ts'
import { tokenExpired, tokenRefused, tokenRequired } from './bearer-challenge.ts'
import { HttpError } from './http-error.ts'
import { headerValues } from './request-head.ts'

/**
 * Reads the token from the Authorization header, if there is one. A token in the query or the body
 * is never used.
 *
 * @param isElsewhere Whether the query or the body has an `access_token`.
 * @throws HttpError 400 if there is a token in two places (RFC 6750 §2).
 */
export function readToken(
  rawHeaders: readonly string[],
  isElsewhere: () => boolean,
): string | undefined {
  const [value = '', ...others] = headerValues(rawHeaders, 'authorization')
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

type Logged = Pick<RequestState, 'log'>

/**
 * Checks the access token of a request. Every refused token gets the same answer (RFC 6750 §3),
 * but for one that has expired. The log has the reasons: each one at debug level, and their counts at
 * info level.
 *
 * @param check Throws TokenError to refuse the token. Any other error says nothing about the token
 *   and passes through.
 * @throws HttpError 401
 */
export async function checkToken<T>(
  token: string | undefined,
  check: (token: string) => Promise<T>,
  request: Logged,
  refusedTokens: RefusedTokens,
): Promise<T> {
  if (token === undefined) throw tokenRequired()
  try {
    return await check(token)
  } catch (error) {
    // A database that fails, for instance, is no reason to sign the client out.
    if (!(error instanceof TokenError)) throw error
    refusedTokens.count(error.reason)
    request.log.debug({ reason: error.reason }, 'access token refused')
    throw error.code === 'token_expired' ? tokenExpired() : tokenRefused()
  }
}

/** The parts of a request that a token can be bound to, for `check` in token/request-binding.ts. */
export const requestOf = ({ method, path, state }: AppContext): IncomingRequest => ({
  method,
  path,
  body: state.bodyBytes,
  onReplay: auditReplay(state),
})

/** Audits a bound request that was sent a second time. */
export const auditReplay =
  (request: Logged): IncomingRequest['onReplay'] =>
  ({ sub, sid, client_id }) => {
    audit(request.log, 'request_replayed', { account_id: sub, session_id: sid, client_id })
  }
