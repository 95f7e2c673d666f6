import type { AppMiddleware } from './context.ts'
import { HttpError } from './http-error.ts'

/** Methods by path pattern, for the Allow header (RFC 9110 §10.2.1). */
interface Matched {
  readonly matched?: readonly { readonly methods: readonly string[] }[]
}

/** Answers requests that no route matches: 405 if the path has other methods, 404 otherwise. */
export function noRoute(): AppMiddleware {
  return function noRoute(ctx) {
    const methods = ((ctx as Matched).matched ?? []).flatMap((layer) => layer.methods)
    if (methods.length === 0) throw new HttpError('not_found', 'There is nothing at this path.')
    throw new HttpError('method_not_allowed', 'This path does not support this method.', {
      headers: { Allow: [...new Set(methods)].join(', ') },
    })
  }
}
