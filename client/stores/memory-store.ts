import { sessionEnded } from '../errors.ts'
import { fits, generateClientKey, type ClientKey } from '../keys/client-key.ts'
import type { ClientStore, VaultStorage } from './client-store.ts'
import { oneAtATime } from './one-at-a-time.ts'

/**
 * A store that lasts as long as the page or the process: for tests, short-lived programs, and browsers
 * that cannot store keys.
 *
 * @param warning See ClientStore.
 * @example
 * const auth = new AuthClient({ server: 'https://auth.example.com', store: memoryStore() })
 */
export function memoryStore(warning?: string): ClientStore {
  let key: ClientKey | undefined
  let next: ClientKey | undefined
  const values = new Map<string, string>()
  const vaults = new Map<string, VaultStorage>()
  const making = oneAtATime()
  return {
    kind: 'memory',
    ...(warning === undefined ? {} : { warning }),
    loadKey: () => Promise.resolve(key),
    makeKey: (type, refused) =>
      making(async () => {
        const newest = next ?? key
        if (newest !== undefined && newest.id !== refused && fits(newest, type)) return newest
        const fresh = await generateClientKey(type)
        if (key === undefined) key = fresh
        else next = fresh
        return fresh
      }),
    useKey: (id) =>
      making(() => {
        if (next?.id === id) [key, next] = [next, undefined]
        return Promise.resolve()
      }),
    // Stored as JSON, so that reading returns a copy, as from any other store.
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
