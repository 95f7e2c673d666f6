import { LRUCache } from 'lru-cache'
import type { TokenContext } from '../token/token-context.ts'
import { openDatabaseKey } from './database-key.ts'

/** The most keys. The least recently used is dropped to make room. */
const CAPACITY = 10_000
/** Milliseconds for which an opened key is used. It leaves the memory within as many more. */
const LIFETIME = 60_000

/**
 * Opens stored database keys, and keeps each for a minute. This affects how fast a key is opened,
 * never the result, because everything is forgotten when the server's keys change.
 */
export function createOpenedKeys(context: TokenContext, max = CAPACITY) {
  // By the key as it is stored. A resolution of 0, because any other starts a timer at each lookup.
  const create = () => new LRUCache<string, string>({ max, ttl: LIFETIME, ttlResolution: 0 })
  let opened = create()
  context.keystore.onReplaced(() => {
    opened = create()
  })
  // Otherwise, keys would stay in memory on a quiet server.
  setInterval(() => opened.purgeStale(), LIFETIME).unref()

  return {
    /** As `openDatabaseKey` does: `null` if the key that it was sealed to has been removed for good. */
    async open(sealed: string): Promise<string | null> {
      // If the server's keys are replaced in the meantime, this key is forgotten with the others.
      const cache = opened
      const known = cache.get(sealed)
      if (known !== undefined) return known
      const key = await openDatabaseKey(context, sealed)
      if (key !== null) cache.set(sealed, key)
      return key
    },
  }
}
