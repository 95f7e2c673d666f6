import type { Next } from 'koa'
import type { AppContext, ScopedState } from './context.ts'
import { auditReplay, checkToken, readToken } from './access-token.ts'
import { bodyHas } from './body.ts'
import type { RefusedTokens } from '../log/refused-tokens.ts'
import { headerValues } from './request-head.ts'
import type { IncomingRequest } from '../token/request-binding.ts'

/**
 * Lets a request through if its access token is good.
 *
 * @param authenticate Checks the token, puts what it learns on `ctx.state` and returns the token's
 *   scope. Throws TokenError to refuse the token.
 */
export function bearer<State extends ScopedState>(
  authenticate: (ctx: AppContext<State>, token: string) => Promise<string>,
  refusedTokens: RefusedTokens,
) {
  return async function bearer(ctx: AppContext<State>, next: Next): Promise<void> {
    const token = readToken({
      authorization: headerValues(ctx.req.rawHeaders, 'authorization'),
      isElsewhere: () => Object.hasOwn(ctx.query, 'access_token') || bodyHas(ctx, 'access_token'),
    })
    const { log } = ctx.state
    const check = (token: string) => authenticate(ctx, token)
    ctx.state.scope = await checkToken(token, check, { log, refusedTokens })
    await next()
  }
}

/** The parts of a request that a token can be bound to. A replay is audited. */
export const requestOf = ({ method, path, state }: AppContext): IncomingRequest => ({
  method,
  path,
  body: state.bodyBytes,
  onReplay: auditReplay(state.log),
})
