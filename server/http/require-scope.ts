import type { Next } from 'koa'
import type { AppContext, ScopedState } from './context.ts'
import { documented } from './documented.ts'
import { scopeRequired } from './bearer-challenge.ts'
import { HttpError } from './http-error.ts'

/**
 * Refuses a request unless its token has the scope (RFC 6750 §3.1). Must come after what
 * checks the token.
 *
 * @example
 * signedIn('GET', '/notes', requireScope('notes'), listNotes)
 */
export function requireScope(scope: string) {
  async function requireScope(ctx: AppContext<ScopedState>, next: Next): Promise<void> {
    checkScope(ctx.state.scope, scope)
    await next()
  }
  return documented(requireScope, { 403: ['insufficient_scope'] })
}

/**
 * @param granted The scope of the access token.
 * @throws HttpError 403
 */
export function checkScope(granted: string, scope: string): void {
  if (!granted.split(' ').includes(scope)) throw scopeRequired(scope)
}

/**
 * Narrows a scope to what is requested of it (RFC 6749 §3.3).
 *
 * @param requested By default, all of it.
 * @throws HttpError `invalid_scope` for a word that was not granted.
 */
export function narrowScope(granted: string, requested: string | undefined): string {
  if (requested === undefined) return granted
  const grantedWords = new Set(granted.split(' '))
  const words = new Set(requested.split(' '))
  if (![...words].every((word) => grantedWords.has(word))) {
    throw new HttpError('invalid_scope', 'scope reaches beyond what was granted.')
  }
  return [...words].join(' ')
}
