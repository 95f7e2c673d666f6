/**
 * What an operator does to the key folder. Each is one transaction under the folder's lock: killed
 * at any moment, it has happened or it has not.
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
import { algorithmOf, currentOf, hasRetired, unfit } from '../../keystore/key-set.ts'
import { markRemoved, recordOf, recordsOf, type Records } from './record-changes.ts'
import { toPem } from './write-key.ts'

const USES: readonly KeyUse[] = ['sig', 'enc']

/**
 * Makes a current and a next key for both uses.
 *
 * @throws StartupError when there is a key already: nothing is ever overwritten.
 */
export async function generateKeys(folder: KeyFolder, now = Date.now()): Promise<void> {
  await mkdir(folder.path, { recursive: true, mode: 0o700 }).catch((error: unknown) => {
    const { code = 'unknown' } = error as NodeJS.ErrnoException
    throw new StartupError([
      `The key folder ${folder.path} cannot be made (${code}). Check KEYS_DIR and the rights on the folder above it.`,
    ])
  })
  await changeFolder(folder, async ({ keys, removed }) => {
    if (keys.length > 0) {
      throw new StartupError([
        `There are keys in ${folder.path}: ${keys.map(({ name }) => name).join(', ')}. Nothing was changed. To replace keys and keep everybody signed in: \`npm run keys -- rotate\`. To start anew, move the old files away first.`,
      ])
    }
    return freshKeys(folder, { ...removed }, now)
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
  await changeFolder(folder, async ({ keys, removed }) => {
    const retires = new Date(now + keepFor).toISOString()
    const files: Record<string, string | null> = {}
    const records = recordsOf(folder, keys, removed, now)
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
        if (next !== undefined) markRemoved(records, next.kid, now)
        await put(folder, files, records, use, 'current', now)
      }
      await put(folder, files, records, use, 'next', now)
    }
    for (const key of keys.filter(({ state }) => state === 'previous')) {
      if (hasRetired(key, now)) {
        files[key.name] = null
        markRemoved(records, key.kid, now)
        // One whose record was lost must not be kept for ever.
      } else records[key.kid] = { retires, ...recordOf(folder, key) }
    }
    return { ...files, [RECORDS_FILE]: formatRecords(records) }
  })
}

/** Replaces every key by a fresh one and keeps none: what was made with the old ones is refused. */
export async function revokeKeys(folder: KeyFolder, now = Date.now()): Promise<void> {
  await changeFolder(folder, async ({ keys, removed }) => {
    const records = recordsOf(folder, keys, removed, now)
    for (const { kid } of keys) markRemoved(records, kid, now)
    const files = Object.fromEntries(keys.map(({ name }) => [name, null]))
    return { ...files, ...(await freshKeys(folder, records, now)) }
  })
}

/** Removes the previous keys that have retired; gives their kids. */
export async function pruneKeys(folder: KeyFolder, now: number): Promise<string[]> {
  let retired: StoredKey[] = []
  await changeFolder(folder, ({ keys, removed }) => {
    retired = keys.filter((key) => hasRetired(key, now))
    const records = recordsOf(folder, keys, removed, now)
    for (const { kid } of retired) markRemoved(records, kid, now)
    return {
      ...Object.fromEntries(retired.map(({ name }) => [name, null])),
      [RECORDS_FILE]: formatRecords(records),
    }
  })
  return retired.map(({ kid }) => kid)
}

/** Encrypts every key under another passphrase. */
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
    // The files' times change: what they said is kept here.
    return { ...files, [RECORDS_FILE]: formatRecords(recordsOf(folder, keys, removed, now)) }
  })
}

/** Plans a change from what is in the folder, and makes it, with the folder locked. */
export async function changeFolder(
  folder: KeyFolder,
  plan: (contents: FolderContents) => FolderChanges | Promise<FolderChanges>,
): Promise<void> {
  await withFolderLock(folder.path, async () => {
    await recover(folder.path)
    await commitChanges(folder.path, await plan(await readFolder(folder)))
  })
}

/** Makes a current and a next key for both uses, and adds them to the records. */
async function freshKeys(folder: KeyFolder, records: Records, now: number): Promise<FolderChanges> {
  const files: Record<string, string | null> = {}
  for (const use of USES) {
    await put(folder, files, records, use, 'current', now)
    await put(folder, files, records, use, 'next', now)
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
  files[keyFileName(use, state)] = await toPem(pair.privateKey, folder)
  records[pair.kid] = { alg: pair.alg, created: new Date(now).toISOString() }
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
