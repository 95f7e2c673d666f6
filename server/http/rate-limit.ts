import type { AppMiddleware } from './context.ts'
import { documented, type Description } from './documented.ts'
import { addressKey } from '../limits/client-address.ts'
import type { RateLimits } from '../limits/rate-limits.ts'

const LIMITED: Description = { 429: ['rate_limited'] }

/**
 * Stands in for `rateLimit` on a route whose handler counts requests itself. It must call
 * `acceptBody` when it has.
 */
export const limitWithin = documented<AppMiddleware>((_ctx, next) => next(), LIMITED)

/**
 * Limits how often one address may do something. TRUST_PROXY decides which address that is.
 *
 * @param part Gets a separate count under the same limit.
 * @example
 * open('POST', '/feedback', rateLimit(limits, 'feedback'), sendFeedback)
 */
export function rateLimit<Action extends string>(
  limits: RateLimits<Action>,
  action: Action,
  part?: string,
): AppMiddleware {
  return documented<AppMiddleware>(async function rateLimit(ctx, next) {
    const address = addressKey(ctx.ip)
    await limits.consume(action, 'address', part === undefined ? address : `${address} ${part}`)
    await next()
  }, LIMITED)
}
