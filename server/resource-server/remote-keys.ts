import type { Logger } from '../log/logger.ts'
import { UnavailableError } from '../errors/unavailable-error.ts'
import type { VerificationKey } from '../token/verify.ts'
import { fetchPublishedKeys, type Fetch, type Published } from './published-keys.ts'

/**
 * Milliseconds for which keys are used without asking again. Equal to the auth server's
 * Cache-Control.
 */
const FRESH = 300_000
/** Milliseconds for which known keys stay in use while the auth server is unavailable. */
const BELIEVED = 86_400_000
/** Milliseconds between two requests for keys. Needed because anybody can make up a `kid`. */
const COOL_DOWN = 5_000

interface RemoteKeysOptions {
  readonly issuer: string
  readonly fetch: Fetch
  /** Milliseconds since the epoch. */
  readonly clock: () => number
  readonly logger: Logger
}

export type RemoteKeys = ReturnType<typeof createRemoteKeys>

/**
 * What a remote auth server publishes. Caches keys like jose's createRemoteJWKSet, with two
 * differences. Known keys stay in use while the auth server is unavailable. The cool-down also
 * follows a failure, and then requests for known keys do not wait for the next attempt.
 */
export function createRemoteKeys({ issuer, fetch, clock, logger }: RemoteKeysOptions) {
  let published: Published | undefined
  let fetchedAt = -Infinity
  let askedAt = -Infinity
  let isAway = false
  let loading: Promise<boolean> | undefined

  async function load(): Promise<boolean> {
    try {
      published = await fetchPublishedKeys(issuer, fetch)
      fetchedAt = clock()
      isAway = false
    } catch (error) {
      isAway = true
      logger.warn(
        { err: error },
        `the keys of ${issuer} cannot be fetched: ${(error as Error).message}`,
      )
    }
    askedAt = clock()
    return !isAway
  }

  /**
   * Fetches the keys now. Resolves to `false`, and logs why, if that fails. Concurrent calls share
   * one request.
   */
  function reload(): Promise<boolean> {
    loading ??= load().finally(() => (loading = undefined))
    return loading
  }

  /** A time in the future means that the clock was wrong, so the age is unknown. */
  function isWithin(since: number, span: number): boolean {
    const age = clock() - since
    return age >= 0 && age < span
  }

  return {
    reload,
    /** Where to ask about tokens, as it was published with the keys. */
    introspection: () => published?.introspection,
    /**
     * Finds a key. Asks the auth server if the key is unknown.
     *
     * @throws UnavailableError if the auth server must be asked but cannot be reached.
     */
    async find(kid: string): Promise<VerificationKey | undefined> {
      const believed = () =>
        isWithin(fetchedAt, BELIEVED) ? published?.signingKeys.get(kid) : undefined
      const known = believed()
      const isKnown = known !== undefined && isWithin(fetchedAt, FRESH)
      if (!isKnown && !isWithin(askedAt, COOL_DOWN)) {
        const reloading = reload()
        // After a longer silence, it may have come back without this key.
        if (known !== undefined && isAway && isWithin(askedAt, FRESH)) return known
        await reloading
      }
      const key = believed()
      if (key === undefined && isAway) {
        throw new UnavailableError(`the keys of ${issuer} cannot be fetched`, COOL_DOWN / 1000)
      }
      return key
    },
  }
}
