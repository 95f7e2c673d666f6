import type { Next } from 'koa'
import type { AppContext, AppMiddleware } from './context.ts'
import { documented } from './documented.ts'
import { addressKey } from '../limits/client-address.ts'
import type { RateLimits } from '../limits/rate-limits.ts'

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
  async function rateLimit(ctx: AppContext, next: Next): Promise<void> {
    const address = addressKey(ctx.ip)
    await limits.consume(action, 'address', part === undefined ? address : `${address} ${part}`)
    await next()
  }
  return documented(rateLimit, { 429: ['rate_limited'] })
}
