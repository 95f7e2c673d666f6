import { encodeBase64url, randomBytes } from '../bytes.ts'
import type { SessionInMemory } from '../session/session-in-memory.ts'
import { memoryStore } from '../stores/memory-store.ts'
import { openVault, type Vault } from './vault.ts'

const WARNING =
  'The server has lost the key to your local data. Until you sign in again, new data is lost when this page closes.'

/**
 * Creates vaults in memory, for sessions whose `database_key` the server has lost. Each starts empty,
 * with a key of its own, and ends with its session. The stored vault stays, because the server may
 * restore its key from a backup.
 */
export function temporaryVaults(page: SessionInMemory): (sessionId: string) => Promise<Vault> {
  let last: { readonly sessionId: string; readonly vault: Promise<Vault> } | undefined

  async function begin(sessionId: string): Promise<Vault> {
    const storage = memoryStore().vault(sessionId)
    const stop = page.changed.add(() => {
      if (page.id === sessionId) return
      stop()
      void storage.destroy()
    })
    const key = encodeBase64url(randomBytes(32))
    return { ...(await openVault(storage, key, sessionId)), warning: WARNING }
  }

  return (sessionId) => {
    if (last?.sessionId !== sessionId) last = { sessionId, vault: begin(sessionId) }
    return last.vault
  }
}
