import type { AppMiddleware } from './context.ts'
import { HttpError } from './http-error.ts'

/** Methods by path pattern, for the Allow header (RFC 9110 §10.2.1). */
interface Matched {
  readonly matched?: readonly { readonly methods: readonly string[] }[]
}

/** What no route answered: 405 where the path exists under another method, else 404. */
export function noRoute(): AppMiddleware {
  return function noRoute(ctx) {
    const methods = ((ctx as Matched).matched ?? []).flatMap((layer) => layer.methods)
    if (methods.length === 0) throw new HttpError('not_found', 'There is nothing at this path.')
    throw new HttpError('method_not_allowed', 'This path does not take this method.', {
      headers: { Allow: [...new Set(methods)].join(', ') },
    })
  }
}
