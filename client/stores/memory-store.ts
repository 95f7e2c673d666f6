import { sessionEnded } from '../errors.ts'
import { fits, generateClientKey, type ClientKey } from '../token/client-key.ts'
import type { ClientStore, VaultStorage } from './client-store.ts'
import { oneAtATime } from './one-at-a-time.ts'

/**
 * Keeps everything for as long as the page or the process lives: for tests, for short-lived
 * programs, and for browsers that refuse to keep more.
 *
 * @param warning See ClientStore.
 */
export function memoryStore(warning?: string): ClientStore {
  let key: ClientKey | undefined
  const values = new Map<string, string>()
  const vaults = new Map<string, VaultStorage>()
  const making = oneAtATime()
  return {
    kind: 'memory',
    ...(warning === undefined ? {} : { warning }),
    loadKey: () => Promise.resolve(key),
    makeKey: (type) =>
      making(async () => {
        if (key === undefined || !fits(key, type)) key = await generateClientKey(type)
        return key
      }),
    // As JSON: what is read is a copy, as from any other store.
    read: (name) => {
      const text = values.get(name)
      return Promise.resolve(text === undefined ? undefined : JSON.parse(text))
    },
    write: (name, value) => {
      if (value === undefined) values.delete(name)
      else values.set(name, JSON.stringify(value))
      return Promise.resolve()
    },
    vault(sessionId) {
      const vault = vaults.get(sessionId) ?? memoryVault()
      vaults.set(sessionId, vault)
      return vault
    },
    async removeVaults(except) {
      for (const [sessionId, vault] of vaults) {
        if (sessionId === except) continue
        vaults.delete(sessionId)
        await vault.destroy()
      }
    },
    exclusively: oneAtATime(),
    subscribe: () => () => undefined,
  }
}

function memoryVault(): VaultStorage {
  const records = new Map<string, Uint8Array<ArrayBuffer>>()
  let isDestroyed = false
  return {
    get: (id) => Promise.resolve(records.get(id)),
    async put(id, bytes) {
      if (isDestroyed) throw sessionEnded()
      await Promise.resolve(records.set(id, bytes))
    },
    delete: (id) => Promise.resolve(void records.delete(id)),
    ids: () => Promise.resolve([...records.keys()]),
    destroy: () => {
      isDestroyed = true
      records.clear()
      return Promise.resolve()
    },
  }
}
