import type { AppMiddleware } from '../context.ts'
import { addressKey } from '../limits/client-address.ts'
import type { LimitedAction, RateLimits } from '../limits/rate-limits.ts'

/** Limits how often one address may do something. What TRUST_PROXY says decides which address that is. */
export function rateLimit(limits: RateLimits, action: LimitedAction): AppMiddleware {
  return async function rateLimit(ctx, next) {
    await limits.consume(action, 'address', addressKey(ctx.ip))
    await next()
  }
}
