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
    checkScope(ctx.state.scope, scope)
    await next()
  }
}

/**
 * @param granted The scope of the access token.
 * @throws HttpError 403
 */
export function checkScope(granted: string, scope: string): void {
  if (!granted.split(' ').includes(scope)) throw scopeRequired(scope)
}
