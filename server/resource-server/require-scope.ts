import type { Next } from 'koa'
import type { AppContext } from '../http/context.ts'
import { scopeRequired } from '../http/http-error.ts'
import type { ClaimsState } from './options.ts'

/** Lets a request through, behind `bearer()`, whose token has a scope (RFC 6750 §3.1). */
export function requireScope(scope: string) {
  return async function requireScope(ctx: AppContext<ClaimsState>, next: Next): Promise<void> {
    if (!ctx.state.claims.scope.split(' ').includes(scope)) throw scopeRequired(scope)
    await next()
  }
}
