import type { TokenContext } from '../token/token-context.ts'
import { openDatabaseKey } from './database-key.ts'

/** The most keys of one generation. */
const CAPACITY = 10_000
/** Milliseconds. A key is forgotten one to two of these after it was last asked for. */
const GENERATION = 60_000

/**
 * Opens stored database keys, and keeps those that were asked for recently: an app asks for the
 * same key whenever it starts. This affects how fast a key is opened, never the result, because
 * everything is forgotten when the server's keys change.
 */
export function createOpenedKeys(context: TokenContext, capacity = CAPACITY) {
  // By the key as it is stored. The older generation is forgotten as a whole.
  let recent = new Map<string, string>()
  let older = new Map<string, string>()

  function beginGeneration(): void {
    older = recent
    recent = new Map()
  }
  setInterval(beginGeneration, GENERATION).unref()

  context.keystore.onReplaced(() => {
    recent = new Map()
    older = new Map()
  })

  return {
    /** See `openDatabaseKey`. */
    async open(sealed: string): Promise<string | null> {
      if (recent.size >= capacity) beginGeneration()
      // If the server's keys are replaced in the meantime, this one is forgotten with them.
      const generation = recent
      const key =
        recent.get(sealed) ?? older.get(sealed) ?? (await openDatabaseKey(context, sealed))
      if (key !== null) generation.set(sealed, key)
      return key
    },
  }
}
