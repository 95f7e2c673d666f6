import type { Next } from 'koa'
import type { AppContext, ScopedState } from './context.ts'
import { HttpError, tokenExpired, tokenRefused, tokenRequired } from './http-error.ts'
import { TokenError } from '../errors/token-error.ts'
import { bodyHas } from './body.ts'
import type { RefusedTokens } from '../log/refused-tokens.ts'
import { isRepeated } from './repeated-header.ts'
import { audit } from '../log/audit.ts'
import type { IncomingRequest } from '../token/request-binding.ts'

/**
 * Checks the access token of a request. Every refused token gets the same answer (RFC 6750 §3). The
 * log has the reasons: each one at debug level, and their counts at info level.
 *
 * @param authenticate Checks the token, puts what it learns on `ctx.state` and returns the token's
 *   scope. Throws TokenError to refuse the token. Any other error says nothing about the token and
 *   passes through.
 */
export function bearer<State extends ScopedState>(
  authenticate: (ctx: AppContext<State>, token: string) => Promise<string>,
  refusedTokens: RefusedTokens,
) {
  return async function bearer(ctx: AppContext<State>, next: Next): Promise<void> {
    const token = readToken(ctx)
    if (token === undefined) throw tokenRequired()
    try {
      ctx.state.scope = await authenticate(ctx, token)
    } catch (error) {
      // A database that fails, for instance, is no reason to sign the client out.
      if (!(error instanceof TokenError)) throw error
      refusedTokens.count(error.reason)
      ctx.state.log.debug({ reason: error.reason }, 'access token refused')
      throw error.code === 'token_expired' ? tokenExpired() : tokenRefused()
    }
    await next()
  }
}

/**
 * Reads the token from the Authorization header, if there is one. A token in the query or the body
 * is never used.
 *
 * @throws HttpError 400 if there is a token in two places (RFC 6750 §2).
 */
export function readToken(ctx: AppContext): string | undefined {
  if (isRepeated(ctx.req, 'authorization')) {
    throw new HttpError('invalid_request', 'There is more than one Authorization header.')
  }
  const [, token] = /^bearer +(.*)$/i.exec(ctx.get('Authorization')) ?? []
  if (token === undefined || token === '') return undefined
  if (Object.hasOwn(ctx.query, 'access_token') || bodyHas(ctx, 'access_token')) {
    throw new HttpError('invalid_request', 'The access token is in more than one place.')
  }
  return token
}

/** The parts of a request that a token can be bound to. A replay is audited. */
export const requestOf = ({ method, path, state }: AppContext): IncomingRequest => ({
  method,
  path,
  body: state.bodyBytes,
  onReplay({ sub, sid, client_id }) {
    audit(state.log, 'request_replayed', { account_id: sub, session_id: sid, client_id })
  },
})
