import type { Next } from 'koa'
import type { Core } from '../core.ts'
import { bearer } from '../http/bearer.ts'
import { requestOf, type AppContext, type SessionState } from '../http/context.ts'
import { HttpError, tokenRefused } from '../http/http-error.ts'
import { accessToken } from '../token/kinds.ts'
import { invalid } from '../errors/token-error.ts'
import { validate } from '../token/validate.ts'
import { StaleSessionError } from './lock-session.ts'

type Dependencies = Pick<Core, 'tokens' | 'sessions' | 'binding' | 'refusedTokens'>

/**
 * Lets a request through whose access token is ours, whose session is alive and whose binding
 * holds, and puts the session on `ctx.state` (RFC 6750).
 */
export function authenticate({ tokens, sessions, binding, refusedTokens }: Dependencies) {
  const checkToken = bearer<SessionState>(async (ctx, token) => {
    const { claims, header } = await validate(tokens, accessToken, token)
    const session = await sessions.findAlive(claims)
    if (session === undefined) throw invalid('session')
    // Last: a request that is refused for another reason has not been used up.
    await binding.check(requestOf(ctx), header, claims)
    ctx.state.session = session
    return session.scope
  }, refusedTokens)
  return async function authenticate(ctx: AppContext<SessionState>, next: Next): Promise<void> {
    try {
      await checkToken(ctx, next)
    } catch (error) {
      throw error instanceof StaleSessionError ? overtaken(error) : error
    }
  }
}

/** The answer to a request that was checked and let through, and then came too late. */
const overtaken = ({ reason }: StaleSessionError): HttpError =>
  reason === 'session_ended'
    ? tokenRefused()
    : new HttpError('invalid_grant', 'The password was changed in the meantime.')
