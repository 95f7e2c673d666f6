import type { Next } from 'koa'
import type { AppContext, SessionState } from './context.ts'
import { scopeRequired } from './http-error.ts'

/** Lets a signed-in request through whose token has a scope (RFC 6750 §3.1). */
export function requireScope(scope: string) {
  return async function requireScope(ctx: AppContext<SessionState>, next: Next): Promise<void> {
    if (!ctx.state.session.scope.split(' ').includes(scope)) throw scopeRequired(scope)
    await next()
  }
}
