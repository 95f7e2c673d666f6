import type { Next } from 'koa'
import type { AppContext, ScopedState } from './context.ts'
import { scopeRequired } from './http-error.ts'

/**
 * Refuses a request unless its token has the scope (RFC 6750 §3.1). Must come after `bearer`.
 *
 * @example
 * signedIn('GET', '/notes', requireScope('notes'), listNotes)
 */
export function requireScope(scope: string) {
  return async function requireScope(ctx: AppContext<ScopedState>, next: Next): Promise<void> {
    if (!ctx.state.scope.split(' ').includes(scope)) throw scopeRequired(scope)
    await next()
  }
}
