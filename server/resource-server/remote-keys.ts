import type { Logger } from '../log/logger.ts'
import { KeysUnavailableError } from '../errors/token-error.ts'
import type { VerificationKey } from '../token/verify.ts'
import { fetchPublishedKeys, type Fetch } from './published-keys.ts'

/** Milliseconds for which keys are used without asking again: what the auth server's Cache-Control says. */
const FRESH = 300_000
/** Milliseconds for which known keys are believed while the auth server is away. */
const BELIEVED = 86_400_000
/** Milliseconds between two questions, whatever tokens come: anybody can make up a `kid`. */
const COOL_DOWN = 5_000

interface RemoteKeysOptions {
  readonly issuer: string
  readonly fetch: Fetch
  /** Milliseconds since the epoch. */
  readonly clock: () => number
  readonly logger: Logger
}

/** The signing keys of an auth server elsewhere. */
export interface RemoteKeys {
  /**
   * Finds a key, and asks the auth server for one that is not known.
   *
   * @throws KeysUnavailableError when it would have to be asked, and cannot be.
   */
  find(kid: string): Promise<VerificationKey | undefined>
  /** Asks now; `false`, with a line in the log, when there is no good answer. */
  reload(): Promise<boolean>
}

/**
 * Caches keys as jose's createRemoteJWKSet does, with two differences: what is known outlives the
 * auth server's absence, and a failure cools down too, so that one that hangs delays few requests.
 */
export function createRemoteKeys({ issuer, fetch, clock, logger }: RemoteKeysOptions): RemoteKeys {
  let keys: ReadonlyMap<string, VerificationKey> = new Map()
  let fetchedAt = -Infinity
  let askedAt = -Infinity
  let isAway = false
  let loading: Promise<boolean> | undefined

  async function load(): Promise<boolean> {
    try {
      keys = await fetchPublishedKeys(issuer, fetch)
      fetchedAt = clock()
      isAway = false
    } catch (error) {
      isAway = true
      logger.warn(
        { err: error },
        `the keys of ${issuer} cannot be had: ${(error as Error).message}`,
      )
    }
    askedAt = clock()
    return !isAway
  }

  /** Several at once are one question. */
  function reload(): Promise<boolean> {
    loading ??= load().finally(() => (loading = undefined))
    return loading
  }

  /** What is from the future is from a clock that was wrong: nobody knows how old it is. */
  function isWithin(since: number, span: number): boolean {
    const age = clock() - since
    return age >= 0 && age < span
  }

  return {
    reload,
    async find(kid) {
      const isKnown = keys.has(kid) && isWithin(fetchedAt, FRESH)
      if (!isKnown && !isWithin(askedAt, COOL_DOWN)) await reload()
      const key = isWithin(fetchedAt, BELIEVED) ? keys.get(kid) : undefined
      if (key === undefined && isAway) {
        throw new KeysUnavailableError(`the keys of ${issuer} cannot be had`, COOL_DOWN / 1000)
      }
      return key
    },
  }
}
