import { base64url } from 'jose'
import type { PageSession } from '../session/page-session.ts'
import { memoryStore } from '../stores/memory-store.ts'
import { openVault, type Vault } from './vault.ts'

const WARNING =
  'The server has lost the key to your local data. Until you sign in again, new data is lost with this page.'

/**
 * Vaults in memory, for sessions whose `database_key` the server has lost. Each begins empty, under a
 * key of its own, and ends with its session. What lies in the store is left alone: nobody can read it
 * now, and the server may get its key back from a backup.
 */
export function temporaryVaults(page: PageSession): (sessionId: string) => Promise<Vault> {
  let last: { readonly sessionId: string; readonly vault: Promise<Vault> } | undefined

  async function begin(sessionId: string): Promise<Vault> {
    const storage = memoryStore().vault(sessionId)
    const stop = page.changed.add(() => {
      if (page.id === sessionId) return
      stop()
      void storage.destroy()
    })
    const key = base64url.encode(crypto.getRandomValues(new Uint8Array(32)))
    return { ...(await openVault(storage, key, sessionId)), warning: WARNING }
  }

  return (sessionId) => {
    if (last?.sessionId !== sessionId) last = { sessionId, vault: begin(sessionId) }
    return last.vault
  }
}
