import { UnavailableError } from '../../errors/unavailable-error.ts'
import type { Logger } from '../../log/logger.ts'
import type { LoadedKeys } from './load-provider-keys.ts'
import { ProviderError } from './provider-document.ts'
import type { ProviderKey, ProviderKeySet } from './provider-key-set.ts'

/** Milliseconds for which old keys stay in use while their provider is unreachable. */
const HELD_OVER = 86_400_000
/** Milliseconds between two fetches for an unknown `kid`, because anybody can invent one. */
const UNKNOWN_KID_PAUSE = 30_000
/** Milliseconds between a failed fetch and the next. */
const FAILURE_PAUSE = 5_000

interface ProviderKeysOptions {
  /** For the log. */
  readonly issuer: string
  /** Throws ProviderError. */
  readonly load: () => Promise<LoadedKeys>
  /** Milliseconds since the epoch. */
  readonly clock: () => number
  readonly logger: Logger
}

/** A provider's keys, fetched on demand, with one fetch at a time. */
export interface ProviderKeys {
  /**
   * The key with this `kid`; `undefined` if the provider has none.
   *
   * @throws UnavailableError if the provider is unreachable and the known keys do not include it.
   */
  find(kid: string): Promise<ProviderKey | undefined>
}

export function createProviderKeys(options: ProviderKeysOptions): ProviderKeys {
  const { issuer, load, clock, logger } = options
  let keys: ProviderKeySet = new Map()
  /** Milliseconds. */
  let maxAge = 0
  let fetchedAt = -Infinity
  let failedAt = -Infinity
  /** Whether the last fetch failed. */
  let isAway = false
  let unknownAt = -Infinity
  let underWay: Promise<void> | undefined

  /** A time in the future means that the clock was wrong, so the age is unknown. */
  function isWithin(since: number, span: number): boolean {
    const age = clock() - since
    return age >= 0 && age < span
  }

  async function fetchNow(): Promise<void> {
    try {
      const loaded = await load()
      keys = loaded.keys
      maxAge = loaded.maxAge * 1000
      fetchedAt = clock()
      isAway = false
    } catch (error) {
      if (!(error instanceof ProviderError)) throw error
      failedAt = clock()
      isAway = true
      logger.warn({ err: error, issuer }, 'the keys of an issuer cannot be fetched')
    }
  }

  /** Concurrent calls share one fetch. Does nothing shortly after a failure. */
  async function refresh(): Promise<void> {
    if (underWay === undefined && isAway && isWithin(failedAt, FAILURE_PAUSE)) return
    underWay ??= fetchNow().finally(() => (underWay = undefined))
    await underWay
  }

  return {
    async find(kid) {
      const isStale = !isWithin(fetchedAt, maxAge)
      if (isStale) await refresh()
      // Keys just fetched for this token need not be fetched again.
      else if (!keys.has(kid)) {
        const mayFetch = isAway || !isWithin(unknownAt, UNKNOWN_KID_PAUSE)
        if (mayFetch) unknownAt = clock()
        // During a fetch, wait for it: after a rotation, many tokens of the new key come at once.
        if (mayFetch || underWay !== undefined) await refresh()
      }
      const key = isWithin(fetchedAt, HELD_OVER) ? keys.get(kid) : undefined
      if (key === undefined && isAway) {
        throw new UnavailableError('the keys of an issuer are unavailable', FAILURE_PAUSE / 1000)
      }
      return key
    },
  }
}
