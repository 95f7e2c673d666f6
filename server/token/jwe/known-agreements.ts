import type { KeyObject } from 'node:crypto'
import { LRUCache } from 'lru-cache'

/** The most agreements, of all clients together. */
const CAPACITY = 10_000
/**
 * The most agreements of one client, which makes one every few minutes and may have several tabs.
 */
const PER_CLIENT = 4
/** Milliseconds after which an agreement is forgotten. */
const LIFETIME = 10 * 60_000
/** The most characters of an id. Without long party information, it has under 300. */
const MAX_ID_LENGTH = 512

/** What a client and one of our keys have agreed on (RFC 7518 §4.6). */
export interface Agreement {
  /** Everything that the wrapping key was derived from: our key, `alg`, `epk`, `apu` and `apv`. */
  readonly id: string
  /** Unwraps the content encryption keys of this agreement's JWEs. */
  readonly wrappingKey: KeyObject
}

interface Entry {
  readonly clientId: string
  readonly wrappingKey: KeyObject
}

export type KnownAgreements = ReturnType<typeof createKnownAgreements>

/**
 * A cache of recent agreements, so that all tokens of an agreement cost only one key agreement. It
 * affects how fast a token is opened, never the result: the content encryption key is still
 * unwrapped, and the tag is checked.
 *
 * @param capacity The most agreements. The least recently used is dropped to make room.
 */
export function createKnownAgreements(capacity = CAPACITY) {
  // A Set iterates in the order of insertion.
  const idsByClient = new Map<string, Set<string>>()
  const entries = new LRUCache<string, Entry>({
    max: capacity,
    ttl: LIFETIME,
    // Any other resolution starts a timer at each lookup.
    ttlResolution: 0,
    dispose({ clientId }, id) {
      const ids = idsByClient.get(clientId)
      ids?.delete(id)
      if (ids?.size === 0) idsByClient.delete(clientId)
    },
  })
  /** For the metrics. */
  const lookups = { hits: 0, misses: 0 }

  return {
    lookups,
    /** The wrapping key of an agreement, if it is known. */
    find(id: string): KeyObject | undefined {
      // Not a use: nobody has checked this token yet.
      const known = entries.peek(id)?.wrappingKey
      lookups[known === undefined ? 'misses' : 'hits'] += 1
      return known
    },
    /**
     * Remembers an agreement. Call it only after the token has passed every check, including its
     * session and binding. Then nobody without a session can fill the cache, and it contains no wrong
     * value.
     */
    remember(clientId: string, { id, wrappingKey }: Agreement): void {
      if (id.length > MAX_ID_LENGTH) return
      // This counts as a use. The age of a known one stays the same.
      if (entries.get(id) !== undefined) return
      const [oldest, ...others] = idsByClient.get(clientId) ?? []
      // A client at its own limit takes no room from others.
      if (oldest !== undefined && others.length === PER_CLIENT - 1) entries.delete(oldest)
      entries.set(id, { clientId, wrappingKey })
      const ids = idsByClient.get(clientId) ?? new Set()
      idsByClient.set(clientId, ids.add(id))
    },
    /** Forgets every agreement. */
    clear: () => {
      entries.clear()
    },
  }
}
