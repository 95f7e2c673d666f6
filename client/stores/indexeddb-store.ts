import { keyNotSupported } from '../errors.ts'
import { isObject } from '../json.ts'
import { fits, generateClientKey, nameOf, type ClientKey } from '../keys/client-key.ts'
import type { ClientStore, VaultStorage } from './client-store.ts'
import { Records } from './indexed-db.ts'
import { memoryStore } from './memory-store.ts'
import { oneAtATime } from './one-at-a-time.ts'

const KEY = 'key'
const NEXT_KEY = 'next-key'
const SESSION = 'session'

/**
 * A store for browsers: IndexedDB, with a private key that scripts can use but not read. If the browser
 * refuses that, as in some private windows, a store in memory with a `warning`.
 *
 * @param name The database name. Use a different name for each server that the page talks to.
 * @example
 * const auth = new AuthClient({ server: 'https://auth.example.com', store: await browserStore() })
 */
export async function browserStore(name = 'jwe-auth-server'): Promise<ClientStore> {
  try {
    const records = new Records(name, true)
    await keepsKeys(records)
    return indexedDbStore(name, records)
  } catch (error) {
    const { cause = error } = error as { cause?: unknown }
    const reason = cause instanceof Error ? cause.name : 'unknown'
    return memoryStore(
      `This browser does not keep keys (${reason}). You are signed in until you close or reload this page.`,
    )
  }
}

/** Some browsers have IndexedDB but cannot store a CryptoKey in it, for example in private windows. */
async function keepsKeys(records: Records): Promise<void> {
  const id = `probe ${crypto.randomUUID()}`
  const algorithm = { name: 'AES-GCM', length: 128 }
  const key = await crypto.subtle.generateKey(algorithm, false, ['encrypt'])
  await records.put(id, key)
  const kept = await records.get(id)
  await records.delete(id)
  if (!(kept instanceof CryptoKey)) throw new DOMException('Not kept', 'DataCloneError')
}

function indexedDbStore(name: string, records: Records): ClientStore {
  const vaultPrefix = `${name} vault `
  const openVaults = new Map<string, VaultStorage>()
  const local = oneAtATime()
  // Every current browser has both. Without them, pages do not coordinate.
  const locks = 'locks' in navigator ? navigator.locks : undefined
  const channel = typeof BroadcastChannel === 'function' ? new BroadcastChannel(name) : undefined

  async function load(id: string): Promise<ClientKey | undefined> {
    const kept = await records.get(id)
    return isClientKey(kept) ? kept : undefined
  }

  function vault(sessionId: string): VaultStorage {
    const storage =
      openVaults.get(sessionId) ?? (new Records(vaultPrefix + sessionId, false) as VaultStorage)
    openVaults.set(sessionId, storage)
    return storage
  }

  return {
    kind: 'indexeddb',
    loadKey: () => load(KEY),
    async makeKey(type, refused) {
      const willDo = (kept: unknown): kept is ClientKey =>
        isClientKey(kept) && kept.id !== refused && fits(kept, type)
      const key = await load(KEY)
      const newest = (await load(NEXT_KEY)) ?? key
      if (willDo(newest)) return newest
      const kept = await records.keep(key ? NEXT_KEY : KEY, await generateClientKey(type), willDo)
      // WebKitGTK 2.50 writes an X25519 key, and reads nothing.
      if (!willDo(kept)) throw keyNotSupported(nameOf(type))
      return kept
    },
    useKey: (id) => records.move(NEXT_KEY, KEY, (next) => isClientKey(next) && next.id === id),
    read: (id) => records.get(id),
    async write(id, value) {
      await (value === undefined ? records.delete(id) : records.put(id, value))
      if (id === SESSION) channel?.postMessage(SESSION)
    },
    vault,
    async removeVaults(except) {
      // If the browser cannot list its databases, vaults of other pages remain, but without their keys.
      const found = 'databases' in indexedDB ? await indexedDB.databases() : []
      const left = found
        .map((database) => database.name ?? '')
        .filter((found) => found.startsWith(vaultPrefix))
        .map((found) => found.slice(vaultPrefix.length))
      // Destroy open vaults too, so that a late write cannot recreate them.
      for (const sessionId of new Set([...left, ...openVaults.keys()])) {
        if (sessionId === except) continue
        await vault(sessionId).destroy()
        openVaults.delete(sessionId)
      }
    },
    exclusively: (work) =>
      locks === undefined ? local(work) : locks.request(`${name} session`, work),
    subscribe(listener) {
      const onMessage = () => {
        listener()
      }
      channel?.addEventListener('message', onMessage)
      return () => channel?.removeEventListener('message', onMessage)
    },
  }
}

const isClientKey = (value: unknown): value is ClientKey =>
  isObject(value) &&
  typeof value['id'] === 'string' &&
  isObject(value['publicJwk']) &&
  value['privateKey'] instanceof CryptoKey
