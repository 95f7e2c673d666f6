import type { AppMiddleware } from './context.ts'
import { addressKey } from '../limits/client-address.ts'
import type { RateLimits } from '../limits/rate-limits.ts'

/**
 * Limits how often one address may do something. TRUST_PROXY decides which address that is.
 *
 * @param part Has a count of its own under the same limit, so that it uses up nothing of the rest.
 */
export function rateLimit<Action extends string>(
  limits: RateLimits<Action>,
  action: Action,
  part?: string,
): AppMiddleware {
  return async function rateLimit(ctx, next) {
    const address = addressKey(ctx.ip)
    await limits.consume(action, 'address', part === undefined ? address : `${address} ${part}`)
    await next()
  }
}
