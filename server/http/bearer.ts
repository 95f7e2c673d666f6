import type { Next } from 'koa'
import type { AppContext, SessionState } from './context.ts'
import { HttpError, tokenRefused } from './http-error.ts'
import { StaleSessionError } from '../sessions/lock-session.ts'
import type { Sessions } from '../sessions/sessions.ts'
import type { TokenContext } from '../token/context.ts'
import { accessToken } from '../token/kinds.ts'
import { invalid } from '../token/token-error.ts'
import { validate } from '../token/validate.ts'
import { bearerToken } from './bearer-token.ts'
import type { RefusedTokens } from '../log/refused-tokens.ts'
import type { RequestBinding } from '../token/request-binding.ts'

interface BearerDependencies {
  readonly tokens: TokenContext
  readonly sessions: Sessions
  readonly binding: RequestBinding
  readonly refusedTokens: RefusedTokens
}

/**
 * Lets a request through whose access token is ours, whose session is alive and whose binding
 * holds, and puts the session on `ctx.state` (RFC 6750).
 */
export function bearer({ tokens, sessions, binding, refusedTokens }: BearerDependencies) {
  const authenticate = bearerToken<SessionState>(async (ctx, token) => {
    const { claims, header } = await validate(tokens, accessToken, token)
    const session = await sessions.findAlive(claims)
    if (session === undefined) throw invalid('session')
    // Last: a request that is refused for another reason has not been used up.
    await binding.check(ctx, header, claims)
    ctx.state.session = session
  }, refusedTokens)
  return async function bearer(ctx: AppContext<SessionState>, next: Next): Promise<void> {
    try {
      await authenticate(ctx, next)
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
