import { randomUUID } from 'node:crypto'
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ScryptCost } from '../../pkcs8/scrypt.ts'
import { AuthError, sessionEnded } from '../errors.ts'
import { parseObject } from '../json.ts'
import { fits, generateClientKey, type ClientKey } from '../token/client-key.ts'
import type { ClientStore, VaultStorage } from './client-store.ts'
import { openKeyFile, sealKeyFile } from './key-file.ts'
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
 * const store = fileStore({ folder: 'client-data', passphrase: process.env.CLIENT_PASSPHRASE })
 */
export function fileStore({ folder, passphrase, scryptCost }: FileStoreOptions): ClientStore {
  if (passphrase === '') throw failed('The passphrase of the client key is empty.')
  const keyFile = join(folder, 'client.key')
  const withKey = oneAtATime()
  const openVaults = new Map<string, VaultStorage>()
  let key: ClientKey | undefined

  async function load(): Promise<ClientKey | undefined> {
    if (key !== undefined) return key
    const pem = await readIfThere(keyFile)
    if (pem === undefined) return undefined
    // Windows has no POSIX permission bits.
    const { mode } = await stat(keyFile)
    if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
      throw failed(`Other users can read ${keyFile}. Run: chmod 600 ${keyFile}`)
    }
    key = await openKeyFile(new TextDecoder().decode(pem), passphrase, keyFile)
    return key
  }

  const fileOf = (name: string) => join(folder, `${safe(name)}.json`)

  function vault(sessionId: string): VaultStorage {
    const storage = openVaults.get(sessionId) ?? folderVault(join(folder, VAULT + safe(sessionId)))
    openVaults.set(sessionId, storage)
    return storage
  }

  return {
    kind: 'file',
    // Decrypting the file is slow, so concurrent callers wait for the same key.
    loadKey: () => withKey(load),
    makeKey: (type) =>
      withKey(async () => {
        const kept = await load()
        if (kept !== undefined && fits(kept, type)) return kept
        const fresh = await generateClientKey(type, true)
        const pem = await sealKeyFile(fresh, passphrase, scryptCost)
        await writeWhole(folder, keyFile, pem)
        // Read it back, so that the key in use is the stored one, and not extractable.
        key = await openKeyFile(pem, passphrase, keyFile)
        return key
      }),
    async read(name) {
      const bytes = await readIfThere(fileOf(name))
      return bytes === undefined ? undefined : parseObject(bytes)
    },
    async write(name, value) {
      if (value === undefined) await remove(fileOf(name))
      else await writeWhole(folder, fileOf(name), JSON.stringify(value))
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
  let isDestroyed = false
  return {
    get: (id) => readIfThere(fileOf(id)),
    async put(id, bytes) {
      if (isDestroyed) throw sessionEnded()
      await writeWhole(folder, fileOf(id), bytes)
    },
    delete: (id) => remove(fileOf(id)),
    ids: async () => (await namesIn(folder)).filter((name) => SAFE.test(name)),
    async destroy() {
      isDestroyed = true
      await remove(folder)
    },
  }
}

/** The names in a folder; none if the folder does not exist. */
async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw failed(`${folder} cannot be read.`, error)
  }
}

async function readIfThere(path: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
  try {
    return new Uint8Array(await readFile(path))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw failed(`${path} cannot be read.`, error)
  }
}

/** Writes a file atomically: if the program is killed, the previous content remains. */
async function writeWhole(folder: string, path: string, data: string | Uint8Array): Promise<void> {
  const temporary = `${path}.${randomUUID()}.tmp`
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    await writeFile(temporary, data, { mode: 0o600, flush: true })
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined)
    throw failed(`${path} cannot be written.`, error)
  }
}

async function remove(path: string): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true })
  } catch (error) {
    throw failed(`${path} cannot be removed.`, error)
  }
}

function safe(name: string): string {
  if (SAFE.test(name)) return name
  throw failed('The name cannot be used as a file name.')
}

const failed = (message: string, cause?: unknown) =>
  new AuthError('store_failed', message, { cause })
