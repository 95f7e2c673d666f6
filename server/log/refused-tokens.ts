import type { Logger } from './logger.ts'
import { observersOf } from './observers.ts'
import type { TokenReason } from '../errors/token-error.ts'

/** Milliseconds. */
const INTERVAL = 1000

export type RefusedTokens = ReturnType<typeof createRefusedTokens>

/**
 * Logs why access tokens are refused. An attacker can send thousands per second, so refusals are
 * counted, and the totals are logged at most once per second.
 */
export function createRefusedTokens(logger: Logger) {
  /** Small, because the reasons are a fixed set. */
  const counts = new Map<TokenReason, number>()
  let timer: NodeJS.Timeout | undefined

  /** Logs the counts that are not logged yet. Called before the server stops. */
  function flush(): void {
    clearTimeout(timer)
    timer = undefined
    if (counts.size === 0) return
    const reasons = Object.fromEntries(counts)
    const count = [...counts.values()].reduce((sum, each) => sum + each)
    counts.clear()
    logger.info({ count, reasons }, 'access tokens refused')
    // The next line comes after a second at the earliest.
    timer = setTimeout(flush, INTERVAL).unref()
  }

  return {
    count(reason: TokenReason): void {
      counts.set(reason, (counts.get(reason) ?? 0) + 1)
      for (const { onTokenRefused } of observersOf(logger)) onTokenRefused?.(reason)
      // The first refusal after a quiet second is logged at once.
      if (timer === undefined) flush()
    },
    flush,
  }
}
