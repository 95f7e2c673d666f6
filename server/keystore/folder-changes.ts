/**
 * What an operator does to the key folder. Each is one transaction under the folder's lock: killed
 * at any moment, it has happened or it has not.
 */
import type { KeyObject } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { StartupError } from '../startup-error.ts'
import type { KeyUse } from './algorithms.ts'
import { withFolderLock } from './folder-lock.ts'
import { commitChanges, recover, type FolderChanges } from './folder-transaction.ts'
import { keyFileName, readFolder, type KeyFolder, type StoredKey } from './folder.ts'
import { generateKeyPair, type KeyPair } from './key-pair.ts'
import { formatRecords, RECORDS_FILE, type KeyRecord } from './key-records.ts'
import { algorithmOf, currentOf, hasRetired, unfit } from './key-set.ts'

/** Bytes: what OpenSSL reads. */
const MAX_PASSPHRASE = 1024
const USES: readonly KeyUse[] = ['sig', 'enc']

/**
 * Makes a current and a next key for both uses.
 *
 * @throws StartupError when there is a key already: nothing is ever overwritten.
 */
export async function generateKeys(folder: KeyFolder): Promise<void> {
  await mkdir(folder.path, { recursive: true, mode: 0o700 }).catch((error: unknown) => {
    const { code = 'unknown' } = error as NodeJS.ErrnoException
    throw new StartupError([
      `The key folder ${folder.path} cannot be made (${code}). Check KEYS_DIR and the rights on the folder above it.`,
    ])
  })
  await changeFolder(folder, async (keys) => {
    if (keys.length > 0) {
      throw new StartupError([
        `There are keys in ${folder.path}: ${keys.map(({ name }) => name).join(', ')}. Nothing was changed. To replace keys and keep everybody signed in: \`npm run keys -- rotate\`. To start anew, move the old files away first.`,
      ])
    }
    return freshKeys(folder)
  })
}

/**
 * Moves each key one step: current to previous, next to current, a fresh next. What has retired is
 * removed. A next key that no longer fits the configuration is replaced, so that this is also how
 * an algorithm is changed.
 *
 * @param keepFor Milliseconds for which something made with the old keys may still be alive.
 */
export async function rotateKeys(folder: KeyFolder, now: number, keepFor: number): Promise<void> {
  await changeFolder(folder, async (keys) => {
    const retires = new Date(now + keepFor).toISOString()
    const files: Record<string, string | null> = {}
    const records = recordsOf(folder, keys)
    for (const use of USES) {
      const current = requireCurrent(folder, keys, use)
      files[keyFileName(use, 'previous', current.kid)] = current.pem
      const alg = algorithmOf(current, folder.algorithms)
      records[current.kid] = { ...recordOf(folder, current), alg, retires }
      const next = keys.find((key) => key.use === use && key.state === 'next')
      if (next !== undefined && unfit(next, folder.algorithms).length === 0) {
        files[keyFileName(use, 'current')] = next.pem
        records[next.kid] = {
          ...recordOf(folder, next),
          current_since: new Date(now).toISOString(),
        }
      } else {
        if (next !== undefined) Reflect.deleteProperty(records, next.kid)
        await put(folder, files, records, use, 'current', now)
      }
      await put(folder, files, records, use, 'next', now)
    }
    for (const key of keys.filter(({ state }) => state === 'previous')) {
      if (hasRetired(key, now)) {
        files[key.name] = null
        Reflect.deleteProperty(records, key.kid)
        // One whose record was lost must not be kept for ever.
      } else records[key.kid] = { retires, ...recordOf(folder, key) }
    }
    return { ...files, [RECORDS_FILE]: formatRecords(records) }
  })
}

/** Replaces every key by a fresh one and keeps none: what was made with the old ones is refused. */
export async function revokeKeys(folder: KeyFolder): Promise<void> {
  await changeFolder(folder, async (keys) => ({
    ...Object.fromEntries(keys.map(({ name }) => [name, null])),
    ...(await freshKeys(folder)),
  }))
}

/** Removes the previous keys that have retired; gives their kids. */
export async function pruneKeys(folder: KeyFolder, now: number): Promise<string[]> {
  let retired: StoredKey[] = []
  await changeFolder(folder, (keys) => {
    retired = keys.filter((key) => hasRetired(key, now))
    const records = recordsOf(folder, keys)
    for (const { kid } of retired) Reflect.deleteProperty(records, kid)
    return {
      ...Object.fromEntries(retired.map(({ name }) => [name, null])),
      [RECORDS_FILE]: formatRecords(records),
    }
  })
  return retired.map(({ kid }) => kid)
}

/** Encrypts every key under another passphrase. */
export async function changePassphrase(folder: KeyFolder, newPassphrase: string): Promise<void> {
  await changeFolder(folder, (keys) => ({
    ...Object.fromEntries(keys.map(({ name, key }) => [name, toPem(key, newPassphrase)])),
    // The files' times change: what they said is kept here.
    [RECORDS_FILE]: formatRecords(recordsOf(folder, keys)),
  }))
}

/** PKCS#8 PEM; under a passphrase, encrypted with AES-256-CBC by PBES2 (RFC 8018 §6.2). */
export function toPem(key: KeyObject, passphrase: string | undefined): string {
  if (passphrase !== undefined && Buffer.byteLength(passphrase) > MAX_PASSPHRASE) {
    throw new StartupError([
      `The passphrase is longer than ${MAX_PASSPHRASE} bytes, and no key could be read with it. Choose a shorter one.`,
    ])
  }
  return key
    .export({
      type: 'pkcs8',
      format: 'pem',
      ...(passphrase === undefined ? {} : { cipher: 'aes-256-cbc', passphrase }),
    })
    .toString()
}

type Records = Record<string, KeyRecord>

/** Plans a change from the keys that there are, and makes it, with the folder locked. */
export async function changeFolder(
  folder: KeyFolder,
  plan: (keys: StoredKey[]) => FolderChanges | Promise<FolderChanges>,
): Promise<void> {
  await withFolderLock(folder.path, async () => {
    await recover(folder.path)
    const { keys } = await readFolder(folder)
    await commitChanges(folder.path, await plan(keys))
  })
}

async function freshKeys(folder: KeyFolder): Promise<FolderChanges> {
  const files: Record<string, string | null> = {}
  const records: Records = {}
  for (const use of USES) {
    await put(folder, files, records, use, 'current', Date.now())
    await put(folder, files, records, use, 'next', Date.now())
  }
  return { ...files, [RECORDS_FILE]: formatRecords(records) }
}

/** Adds a fresh key to the files and records that are to be written. */
async function put(
  folder: KeyFolder,
  files: Record<string, string | null>,
  records: Records,
  use: KeyUse,
  state: 'next' | 'current',
  now: number,
): Promise<void> {
  const pair: KeyPair = await generateKeyPair(use, folder.algorithms)
  files[keyFileName(use, state)] = toPem(pair.privateKey, folder.passphrase)
  records[pair.kid] = { alg: pair.alg, created: new Date(now).toISOString() }
}

/** What is to be written of the keys that there are. */
export const recordsOf = (folder: KeyFolder, keys: readonly StoredKey[]): Records =>
  Object.fromEntries(keys.map((key) => [key.kid, recordOf(folder, key)]))

const recordOf = (folder: KeyFolder, key: StoredKey): KeyRecord =>
  key.record ?? {
    alg: algorithmOf(key, folder.algorithms),
    created: new Date(key.createdAt).toISOString(),
  }

/** The current key of a use. Throws StartupError where there is none. */
export function requireCurrent(
  folder: KeyFolder,
  keys: readonly StoredKey[],
  use: KeyUse,
): StoredKey {
  const current = currentOf(keys, use)
  if (current !== undefined) return current
  throw new StartupError([
    `${keyFileName(use, 'current')} is missing in ${folder.path}. Restore it from your backup, or make keys with \`npm run keys -- generate\`.`,
  ])
}
