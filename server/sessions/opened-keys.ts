import type { TokenContext } from '../token/token-context.ts'
import { openDatabaseKey } from './database-key.ts'

/** The most keys of one generation. */
const CAPACITY = 10_000
/** Milliseconds. A key is forgotten once nobody has asked for it for one to two of these. */
const GENERATION = 60_000

/**
 * Opens stored database keys, and keeps those that were asked for recently: an app asks for the
 * same key whenever it starts. This affects how fast a key is opened, never the result, because
 * everything is forgotten when the server's keys change. The key of an ended session is forgotten
 * with the first request that comes two minutes later.
 */
export function createOpenedKeys(context: TokenContext, capacity = CAPACITY) {
  const { clock, keystore } = context
  // By the key as it is stored. The older generation is forgotten as a whole.
  let recent = new Map<string, string>()
  let older = new Map<string, string>()
  let begun = clock()

  function beginGeneration(now: number): void {
    older = Math.abs(now - begun) < 2 * GENERATION ? recent : new Map<string, string>()
    recent = new Map()
    begun = now
  }

  keystore.onReplaced(() => {
    recent = new Map()
    older = new Map()
  })

  return {
    /** See `openDatabaseKey`. */
    async open(sealed: string): Promise<string | null> {
      const now = clock()
      if (Math.abs(now - begun) >= GENERATION || recent.size >= capacity) beginGeneration(now)
      // If the server's keys are replaced in the meantime, this one is forgotten with it.
      const generation = recent
      const key =
        recent.get(sealed) ?? older.get(sealed) ?? (await openDatabaseKey(context, sealed))
      if (key !== null) generation.set(sealed, key)
      return key
    },
  }
}
