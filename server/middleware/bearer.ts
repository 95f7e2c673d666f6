import type { Next } from 'koa'
import type { AppContext, SessionState } from '../context.ts'
import { HttpError, tokenExpired, tokenRefused, tokenRequired } from '../errors.ts'
import type { Sessions } from '../sessions/sessions.ts'
import type { TokenContext } from '../token/context.ts'
import { accessToken } from '../token/kinds.ts'
import { TokenError } from '../token/token-error.ts'
import { validate } from '../token/validate.ts'
import { bodyHas } from './body.ts'

/**
 * Lets a request through whose access token is ours and whose session is alive, and puts the
 * session on `ctx.state` (RFC 6750).
 */
export function bearer(context: TokenContext, sessions: Sessions) {
  return async function bearer(ctx: AppContext<SessionState>, next: Next): Promise<void> {
    const token = readToken(ctx)
    try {
      const { claims } = await validate(context, accessToken, token)
      const session = await sessions.findAlive(claims)
      if (session === undefined) throw new TokenError('token_invalid', 'session')
      ctx.state.session = session
    } catch (error) {
      // A fault of the database is a fault of ours, and no reason to tell a client that it is out.
      if (!(error instanceof TokenError)) throw error
      ctx.state.log.debug({ reason: error.reason }, 'access token refused')
      throw error.code === 'token_expired' ? tokenExpired() : tokenRefused()
    }
    await next()
  }
}

/** The token of the one Authorization header. What stands in the query or the body is never read. */
function readToken(ctx: AppContext): string {
  // Node keeps the first of several headers without a word: only the raw ones tell.
  const headers = ctx.req.rawHeaders.filter(
    (name, index) => index % 2 === 0 && name.toLowerCase() === 'authorization',
  )
  if (headers.length > 1) {
    throw new HttpError('invalid_request', 'There is more than one Authorization header.')
  }
  const [, token] = /^bearer +(.*)$/i.exec(ctx.get('Authorization')) ?? []
  if (token === undefined || token === '') throw tokenRequired()
  if (ctx.URL.searchParams.has('access_token') || bodyHas(ctx, 'access_token')) {
    throw new HttpError('invalid_request', 'The access token is in more than one place.')
  }
  return token
}
