import { join } from 'node:path'
import type { ScryptCost } from '../../pkcs8/scrypt.ts'
import { sessionEnded } from '../errors.ts'
import { parseObject } from '../json.ts'
import type { ClientStore, VaultStorage } from './client-store.ts'
import { namesIn, readIfThere, remove, storeFailed, writeWhole } from './files.ts'
import { keyFiles } from './key-files.ts'
import { oneAtATime } from './one-at-a-time.ts'

const VAULT = 'vault-'
/** Names may come from the server, so they are checked before they become part of a path. */
const SAFE = /^[A-Za-z0-9_-]+$/

interface FileStoreOptions {
  /** For one client of one server, used by one process at a time. Created if it is missing. */
  readonly folder: string
  /** Encrypts the private key. It is mandatory. */
  readonly passphrase: string
  /** The cost of encrypting the private key; by default that for production. */
  readonly scryptCost?: ScryptCost
}

/**
 * A store for programs on Node: a folder with the private key as an encrypted PKCS#8 PEM, `client.key`,
 * and the session's tokens, encrypted to that key. All files have mode 0600.
 *
 * @throws AuthError `store_failed` for an empty passphrase. Its methods throw the same for a wrong
 *   passphrase, a damaged key, or a key that other users can read.
 * @example
 * const store = fileStore({ folder: 'client-data', passphrase: process.env.CLIENT_PASSPHRASE ?? '' })
 */
export function fileStore({ folder, passphrase, scryptCost }: FileStoreOptions): ClientStore {
  if (!passphrase) throw storeFailed('The passphrase of the client key is empty.')
  const openVaults = new Map<string, VaultStorage>()
  const fileOf = (name: string) => join(folder, `${safe(name)}.json`)

  function vault(sessionId: string): VaultStorage {
    const storage = openVaults.get(sessionId) ?? folderVault(join(folder, VAULT + safe(sessionId)))
    openVaults.set(sessionId, storage)
    return storage
  }

  return {
    kind: 'file',
    ...keyFiles({ folder, passphrase, scryptCost }),
    async read(name) {
      const bytes = await readIfThere(fileOf(name))
      // A damaged file is not an absent one.
      return bytes === undefined ? undefined : (parseObject(bytes) ?? null)
    },
    async write(name, value) {
      if (value === undefined) await remove(fileOf(name))
      else await writeWhole(fileOf(name), JSON.stringify(value))
    },
    vault,
    async removeVaults(except) {
      const names = await namesIn(folder)
      const found = names.filter((name) => name.startsWith(VAULT))
      const left = new Set([...found.map((name) => name.slice(VAULT.length)), ...openVaults.keys()])
      for (const sessionId of left) {
        if (sessionId === except || !SAFE.test(sessionId)) continue
        // Destroy the open vault itself, so that a late write cannot recreate it.
        await vault(sessionId).destroy()
        openVaults.delete(sessionId)
      }
    },
    exclusively: oneAtATime(),
    subscribe: () => () => undefined,
  }
}

function folderVault(folder: string): VaultStorage {
  const fileOf = (id: string) => join(folder, safe(id))
  // A removal waits for a write under way, which could make it fail, or bring the folder back.
  const inTurn = oneAtATime()
  let isDestroyed = false
  return {
    get: (id) => readIfThere(fileOf(id)),
    put: (id, bytes) =>
      inTurn(async () => {
        if (isDestroyed) throw sessionEnded()
        await writeWhole(fileOf(id), bytes)
      }),
    delete: (id) => remove(fileOf(id)),
    ids: async () => (await namesIn(folder)).filter((name) => SAFE.test(name)),
    destroy() {
      isDestroyed = true
      return inTurn(() => remove(folder))
    },
  }
}

function safe(name: string): string {
  if (SAFE.test(name)) return name
  throw storeFailed('The name cannot be used as a file name.')
}
