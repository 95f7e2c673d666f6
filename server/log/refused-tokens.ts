import type { Logger } from './logger.ts'
import type { TokenReason } from '../errors/token-error.ts'

/** Milliseconds. */
const INTERVAL = 1000

/**
 * Says in the log why access tokens are refused. An attacker can send thousands a second, so they are
 * counted, and a line a second at most has the sums.
 */
export interface RefusedTokens {
  count(reason: TokenReason): void
  /** Logs what has been counted and not logged yet: before the server ends. */
  flush(): void
}

export function createRefusedTokens(logger: Logger): RefusedTokens {
  /** Reasons are fixed words, so these are few. */
  const counts = new Map<TokenReason, number>()
  let timer: NodeJS.Timeout | undefined

  function flush(): void {
    clearTimeout(timer)
    timer = undefined
    if (counts.size === 0) return
    const reasons = Object.fromEntries(counts)
    const count = [...counts.values()].reduce((sum, each) => sum + each)
    counts.clear()
    logger.info({ count, reasons }, 'access tokens refused')
    // The next line waits its second, whenever the next refusal comes.
    timer = setTimeout(flush, INTERVAL).unref()
  }

  return {
    count(reason) {
      counts.set(reason, (counts.get(reason) ?? 0) + 1)
      // The first after a quiet second is logged at once.
      if (timer === undefined) flush()
    },
    flush,
  }
}
