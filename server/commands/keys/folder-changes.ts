/**
 * An operator's changes to the key folder. Each one is a transaction under the folder's lock: it is
 * atomic, even if the process is killed.
 */
import { mkdir } from 'node:fs/promises'
import { StartupError } from '../../errors/startup-error.ts'
import type { KeyUse } from '../../../protocol/algorithms.ts'
import { withFolderLock } from './folder-lock.ts'
import { commitChanges, recover, type FolderChanges } from './commit-changes.ts'
import {
  keyFileName,
  readFolder,
  type FolderContents,
  type KeyFolder,
  type StoredKey,
} from '../../keystore/folder.ts'
import { generateKeyPair, type KeyPair } from '../../keystore/key-pair.ts'
import { formatRecords, RECORDS_FILE } from '../../keystore/key-records.ts'
import { misfit } from '../../keystore/key-algorithm.ts'
import { currentOf, hasRetired } from '../../keystore/key-set.ts'
import { markRemoved, recordOf, recordsOf, type Records } from './record-changes.ts'
import { toPem } from './write-key.ts'

const USES: readonly KeyUse[] = ['sig', 'enc']

/**
 * Makes a current key and a next key for each use.
 *
 * @throws StartupError if there is a key already: nothing is ever overwritten.
 */
export async function generateKeys(folder: KeyFolder, now = Date.now()): Promise<void> {
  await mkdir(folder.path, { recursive: true, mode: 0o700 }).catch((error: unknown) => {
    const { code = 'unknown' } = error as NodeJS.ErrnoException
    throw new StartupError([
      `The key folder ${folder.path} cannot be created (${code}). Check KEYS_DIR and the permissions of its parent folder.`,
    ])
  })
  await changeFolder(folder, async ({ keys, removed }) => {
    if (keys.length > 0) {
      throw new StartupError([
        `There are already keys in ${folder.path}: ${keys.map(({ name }) => name).join(', ')}. Nothing was changed. To replace keys and keep everybody signed in, run \`npm run keys -- rotate\`. To start over, move the old files away first.`,
      ])
    }
    return freshKeys(folder, { ...removed }, now)
  })
}

/**
 * Rotates the keys: the current key becomes previous, the next one becomes current, and a new next
 * one is made. Retired keys are removed. A next key that does not fit the configuration is
 * replaced, so rotating is also how to change an algorithm.
 *
 * @param keepFor How long tokens made with the old keys may still be valid, in milliseconds.
 */
export async function rotateKeys(folder: KeyFolder, now: number, keepFor: number): Promise<void> {
  await changeFolder(folder, async ({ keys, removed }) => {
    const retires = new Date(now + keepFor).toISOString()
    const files: Record<string, string | null> = {}
    const records = recordsOf(keys, removed, now)
    for (const use of USES) {
      const current = requireCurrent(folder, keys, use)
      files[keyFileName(use, 'previous', current.kid)] = current.pem
      records[current.kid] = { ...recordOf(current), alg: current.alg, retires }
      const next = keys.find((key) => key.use === use && key.state === 'next')
      if (next !== undefined && misfit(next, folder.algorithms) === undefined) {
        files[keyFileName(use, 'current')] = next.pem
        records[next.kid] = {
          ...recordOf(next),
          current_since: new Date(now).toISOString(),
        }
      } else {
        if (next !== undefined) markRemoved(records, next.kid, now)
        await put(folder, files, records, use, 'current', now)
      }
      await put(folder, files, records, use, 'next', now)
    }
    for (const key of keys.filter(({ state }) => state === 'previous')) {
      if (hasRetired(key, now)) {
        files[key.name] = null
        markRemoved(records, key.kid, now)
        // A previous key whose record was lost must not be kept forever.
      } else records[key.kid] = { retires, ...recordOf(key) }
    }
    return { ...files, [RECORDS_FILE]: formatRecords(records) }
  })
}

/** Replaces every key with a new one and keeps none, so that tokens of the old ones are refused. */
export async function revokeKeys(folder: KeyFolder, now = Date.now()): Promise<void> {
  await changeFolder(folder, async ({ keys, removed }) => {
    const records = recordsOf(keys, removed, now)
    for (const { kid } of keys) markRemoved(records, kid, now)
    const files = Object.fromEntries(keys.map(({ name }) => [name, null]))
    return { ...files, ...(await freshKeys(folder, records, now)) }
  })
}

/** Removes the previous keys that have retired, and returns their kids. */
export async function pruneKeys(folder: KeyFolder, now: number): Promise<string[]> {
  let retired: StoredKey[] = []
  await changeFolder(folder, ({ keys, removed }) => {
    retired = keys.filter((key) => hasRetired(key, now))
    const records = recordsOf(keys, removed, now)
    for (const { kid } of retired) markRemoved(records, kid, now)
    return {
      ...Object.fromEntries(retired.map(({ name }) => [name, null])),
      [RECORDS_FILE]: formatRecords(records),
    }
  })
  return retired.map(({ kid }) => kid)
}

/** Encrypts every key with a new passphrase. */
export async function changePassphrase(
  folder: KeyFolder,
  newPassphrase: string,
  now = Date.now(),
): Promise<void> {
  await changeFolder(folder, async ({ keys, removed }) => {
    const files: Record<string, string> = {}
    for (const { name, key } of keys) {
      files[name] = await toPem(key, { ...folder, passphrase: newPassphrase })
    }
    // Rewriting a file changes its modification time, so the age of its key is recorded.
    return { ...files, [RECORDS_FILE]: formatRecords(recordsOf(keys, removed, now)) }
  })
}

/** Locks the folder, plans a change from its contents, and commits the change. */
export async function changeFolder(
  folder: KeyFolder,
  plan: (contents: FolderContents) => FolderChanges | Promise<FolderChanges>,
): Promise<void> {
  await withFolderLock(folder.path, async () => {
    await recover(folder.path)
    await commitChanges(folder.path, await plan(await readFolder(folder)))
  })
}

/** Makes a current key and a next key for each use, and adds them to the records. */
async function freshKeys(folder: KeyFolder, records: Records, now: number): Promise<FolderChanges> {
  const files: Record<string, string | null> = {}
  for (const use of USES) {
    await put(folder, files, records, use, 'current', now)
    await put(folder, files, records, use, 'next', now)
  }
  return { ...files, [RECORDS_FILE]: formatRecords(records) }
}

/** Adds a new key to the files and records that will be written. */
async function put(
  folder: KeyFolder,
  files: Record<string, string | null>,
  records: Records,
  use: KeyUse,
  state: 'next' | 'current',
  now: number,
): Promise<void> {
  const pair: KeyPair = await generateKeyPair(use, folder.algorithms)
  files[keyFileName(use, state)] = await toPem(pair.privateKey, folder)
  records[pair.kid] = { alg: pair.alg, created: new Date(now).toISOString() }
}

/** The current key of a use. @throws StartupError if there is none. */
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
