import type { Next } from 'koa'
import type { AppContext, SessionState } from '../context.ts'
import { HttpError, tokenExpired, tokenRefused, tokenRequired } from '../errors.ts'
import type { RequestBinding } from './request-binding.ts'
import type { Session, Sessions } from '../sessions/sessions.ts'
import type { TokenContext } from '../token/context.ts'
import { accessToken } from '../token/kinds.ts'
import { TokenError } from '../token/token-error.ts'
import { validate } from '../token/validate.ts'
import { bodyHas } from './body.ts'

interface BearerDependencies {
  readonly tokens: TokenContext
  readonly sessions: Sessions
  readonly binding: RequestBinding
}

/**
 * Lets a request through whose access token is ours, whose session is alive and whose binding
 * holds, and puts the session on `ctx.state` (RFC 6750).
 */
export function bearer({ tokens, sessions, binding }: BearerDependencies) {
  async function authenticate(ctx: AppContext, token: string): Promise<Session> {
    const { claims, header } = await validate(tokens, accessToken, token)
    const session = await sessions.findAlive(claims)
    if (session === undefined) throw new TokenError('token_invalid', 'session')
    // Last: a request that is refused for another reason has not been used up.
    await binding.check(ctx, header, claims)
    return session
  }

  return async function bearer(ctx: AppContext<SessionState>, next: Next): Promise<void> {
    const token = readToken(ctx)
    if (token === undefined) throw tokenRequired()
    try {
      ctx.state.session = await authenticate(ctx, token)
    } catch (error) {
      // A fault of the database is a fault of ours, and no reason to tell a client that it is out.
      if (!(error instanceof TokenError)) throw error
      ctx.state.log.debug({ reason: error.reason }, 'access token refused')
      throw error.code === 'token_expired' ? tokenExpired() : tokenRefused()
    }
    await next()
  }
}

/**
 * The token of the one Authorization header, if there is one. What stands in the query or the body
 * is never read.
 *
 * @throws HttpError 400 for a token in two places (RFC 6750 §2).
 */
export function readToken(ctx: AppContext): string | undefined {
  // Node keeps the first of several headers without a word: only the raw ones tell.
  const headers = ctx.req.rawHeaders.filter(
    (name, index) => index % 2 === 0 && name.toLowerCase() === 'authorization',
  )
  if (headers.length > 1) {
    throw new HttpError('invalid_request', 'There is more than one Authorization header.')
  }
  const [, token] = /^bearer +(.*)$/i.exec(ctx.get('Authorization')) ?? []
  if (token === undefined || token === '') return undefined
  if (Object.hasOwn(ctx.query, 'access_token') || bodyHas(ctx, 'access_token')) {
    throw new HttpError('invalid_request', 'The access token is in more than one place.')
  }
  return token
}
