/**
 * An operator's changes to the key folder. Each one is a transaction under the folder's lock: it is
 * atomic, even if the process is killed.
 */
import { mkdir } from 'node:fs/promises'
import type { Config } from '../../config/config.ts'
import { StartupError } from '../../errors/startup-error.ts'
import type { KeyUse } from '../../../protocol/algorithms.ts'
import { withFolderLock } from './folder-lock.ts'
import { commitChanges, recover } from './commit-changes.ts'
import { readFolder, type KeyFolder } from '../../keystore/folder.ts'
import { keyFileName, type StoredKey } from '../../keystore/stored-key.ts'
import { generateKeyPair } from '../../keystore/key-pair.ts'
import { formatRecords, RECORDS_FILE } from '../../keystore/key-records.ts'
import { misfit } from '../../keystore/key-algorithm.ts'
import { currentOf, hasRetired } from '../../keystore/key-set.ts'
import { markRemoved, recordOf, recordsOf, type Records } from './record-changes.ts'
import { toPem } from './write-key.ts'

const USES: readonly KeyUse[] = ['sig', 'enc']
/** Seconds. Servers that notice a rotation late use the old keys for less than this. */
const MARGIN = 3600

/**
 * How long previous keys are kept, in milliseconds: until the last token made with them has expired.
 */
export const keepPreviousFor = ({ refreshTokenTtl }: Pick<Config, 'refreshTokenTtl'>): number =>
  (refreshTokenTtl + MARGIN) * 1000

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
  await changeFolder(folder, now, async (change) => {
    const { keys } = change
    if (keys.length > 0) {
      throw new StartupError([
        `There are already keys in ${folder.path}: ${keys.map(({ name }) => name).join(', ')}. Nothing was changed. To replace keys and keep everybody signed in, run \`npm run keys -- rotate\`. To start over, move the old files away first.`,
      ])
    }
    await addFirstKeys(folder, change, now)
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
  await changeFolder(folder, now, async (change) => {
    const { keys, files, records } = change
    const retires = new Date(now + keepFor).toISOString()
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
        await addKey(folder, change, use, 'current', now)
      }
      await addKey(folder, change, use, 'next', now)
    }
    for (const key of keys.filter(({ state }) => state === 'previous')) {
      if (hasRetired(key, now)) removeKey(change, key, now)
      // A previous key whose record was lost must not be kept forever.
      else records[key.kid] = { retires, ...recordOf(key) }
    }
  })
}

/** Replaces every key with a new one and keeps none, so that tokens of the old ones are refused. */
export async function revokeKeys(folder: KeyFolder, now = Date.now()): Promise<void> {
  await changeFolder(folder, now, async (change) => {
    for (const key of change.keys) removeKey(change, key, now)
    await addFirstKeys(folder, change, now)
  })
}

/** Removes the previous keys that have retired, and returns their kids. */
export async function pruneKeys(folder: KeyFolder, now: number): Promise<string[]> {
  let retired: StoredKey[] = []
  await changeFolder(folder, now, (change) => {
    retired = change.keys.filter((key) => hasRetired(key, now))
    for (const key of retired) removeKey(change, key, now)
  })
  return retired.map(({ kid }) => kid)
}

/** Encrypts every key with a new passphrase. */
export async function changePassphrase(
  folder: KeyFolder,
  newPassphrase: string,
  now = Date.now(),
): Promise<void> {
  // Rewriting a file changes its modification time, but the records keep the age of its key.
  await changeFolder(folder, now, async ({ keys, files }) => {
    for (const { name, key } of keys) {
      files[name] = await toPem(key, { ...folder, passphrase: newPassphrase })
    }
  })
}

/** A change of the folder while it is planned. */
interface PlannedChange {
  /** The keys in the folder now. */
  readonly keys: readonly StoredKey[]
  /** File name → new content, or `null` to remove the file. */
  readonly files: Record<string, string | null>
  /** The records to write, which begin as those of now. */
  readonly records: Records
}

/**
 * Locks the folder, plans a change from its contents, and commits the change.
 *
 * @param now Milliseconds since the epoch.
 */
export async function changeFolder(
  folder: KeyFolder,
  now: number,
  plan: (change: PlannedChange) => Promise<void> | void,
): Promise<void> {
  await withFolderLock(folder.path, async () => {
    await recover(folder.path)
    const contents = await readFolder(folder)
    const change = { keys: contents.keys, files: {}, records: recordsOf(contents, now) }
    await plan(change)
    const { files, records } = change
    await commitChanges(folder.path, { ...files, [RECORDS_FILE]: formatRecords(records) })
  })
}

/** Makes a current key and a next key for each use. */
async function addFirstKeys(folder: KeyFolder, change: PlannedChange, now: number): Promise<void> {
  for (const use of USES) {
    await addKey(folder, change, use, 'current', now)
    await addKey(folder, change, use, 'next', now)
  }
}

async function addKey(
  folder: KeyFolder,
  { files, records }: PlannedChange,
  use: KeyUse,
  state: 'next' | 'current',
  now: number,
): Promise<void> {
  const { kid, alg, privateKey } = await generateKeyPair(use, folder.algorithms)
  files[keyFileName(use, state)] = await toPem(privateKey, folder)
  records[kid] = { alg, created: new Date(now).toISOString() }
}

function removeKey({ files, records }: PlannedChange, { name, kid }: StoredKey, now: number): void {
  files[name] = null
  markRemoved(records, kid, now)
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
