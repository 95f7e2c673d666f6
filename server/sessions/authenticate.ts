import type { Next } from 'koa'
import type { Core } from '../composition.ts'
import { checkToken, readToken, requestOf } from '../http/access-token.ts'
import { bodyHas } from '../http/body.ts'
import type { AppContext, ScopedState } from '../http/context.ts'
import { documented } from '../http/documented.ts'
import { personRequired } from '../http/bearer-challenge.ts'
import { anyAccessToken } from '../token/claims.ts'
import { invalid } from '../errors/token-error.ts'
import { rememberAgreement, validate } from '../token/validate.ts'
import type { Session } from './session.ts'

/** What a handler finds on `ctx.state` where people are signed in. */
export interface SessionState extends ScopedState {
  session: Session
}

/** For the API documents. */
const ACCESS_TOKEN = {
  type: 'http',
  scheme: 'bearer',
  bearerFormat: 'JWE',
  description:
    'The JWS inside the access token, encrypted again to a key of `/.well-known/jwks.json`. The header parameter `req` binds it to one request.',
}

type Dependencies = Pick<Core, 'tokens' | 'sessions' | 'binding' | 'refusedTokens'>

/**
 * Lets a request through if its access token is ours, its session is alive and its binding holds.
 * Puts the session on `ctx.state` (RFC 6750). A service token has no session: 403.
 */
export function authenticate({ tokens, sessions, binding, refusedTokens }: Dependencies) {
  async function authenticate(ctx: AppContext<SessionState>, next: Next): Promise<void> {
    const { state } = ctx
    const token = readToken(
      ctx.req.rawHeaders,
      () => Object.hasOwn(ctx.query, 'access_token') || bodyHas(ctx, 'access_token'),
    )
    state.session = await checkToken(token, (sent) => check(ctx, sent), state, refusedTokens)
    state.scope = state.session.scope
    await next()
  }

  async function check(ctx: AppContext<SessionState>, token: string): Promise<Session> {
    const valid = await validate(tokens, anyAccessToken, token)
    const { claims, header } = valid
    if (claims.sid === undefined) {
      await binding.check(requestOf(ctx), header, claims)
      throw personRequired()
    }
    const session = await sessions.findAlive(claims)
    if (session === undefined) throw invalid('session')
    // Last, because it uses the binding up.
    await binding.check(requestOf(ctx), header, claims)
    rememberAgreement(tokens, valid)
    // These claims are known to have a session.
    ctx.state.token = { ...valid, claims }
    return session
  }

  return documented(authenticate, {
    security: { accessToken: ACCESS_TOKEN },
    401: ['invalid_token'],
    403: ['insufficient_scope'],
  })
}
