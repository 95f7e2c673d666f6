import type { Next } from 'koa'
import type { AppContext, ScopedState } from './context.ts'
import { scopeRequired } from './http-error.ts'

/** Lets a request through, behind `bearer`, whose token has a scope (RFC 6750 §3.1). */
export function requireScope(scope: string) {
  return async function requireScope(ctx: AppContext<ScopedState>, next: Next): Promise<void> {
    if (!ctx.state.scope.split(' ').includes(scope)) throw scopeRequired(scope)
    await next()
  }
}
