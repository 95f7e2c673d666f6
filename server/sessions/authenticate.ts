import type { Core } from '../composition.ts'
import { bearer, requestOf } from '../http/bearer.ts'
import type { ScopedState } from '../http/context.ts'
import { accessToken } from '../token/kinds.ts'
import { invalid } from '../errors/token-error.ts'
import { rememberAgreement, validate } from '../token/validate.ts'
import type { Session } from './sessions.ts'

/** The `ctx.state` of handlers for signed-in people. */
export interface SessionState extends ScopedState {
  session: Session
}

type Dependencies = Pick<Core, 'tokens' | 'sessions' | 'binding' | 'refusedTokens'>

/**
 * Lets a request through if its access token is ours, its session is alive and its binding matches,
 * and puts the session on `ctx.state` (RFC 6750).
 */
export function authenticate({ tokens, sessions, binding, refusedTokens }: Dependencies) {
  return bearer<SessionState>(async (ctx, token) => {
    const valid = await validate(tokens, accessToken, token)
    const { claims, header } = valid
    const session = await sessions.findAlive(claims)
    if (session === undefined) throw invalid('session')
    // Last, so that a request that is refused for another reason is not used up.
    await binding.check(requestOf(ctx), header, claims)
    rememberAgreement(tokens, valid)
    ctx.state.session = session
    return session.scope
  }, refusedTokens)
}
