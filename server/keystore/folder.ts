import { readdir, stat } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import pLimit from 'p-limit'
import type { ScryptCost } from '../../pkcs8/scrypt.ts'
import { StartupError } from '../errors/startup-error.ts'
import type { Algorithms, KeyUse } from '../../protocol/algorithms.ts'
import { algorithmOf } from './key-algorithm.ts'
import { finishCommit, isCommitting } from './folder-transaction.ts'
import { readRecords, RECORDS_FILE, type KeyRecords } from './key-records.ts'
import { OpenedKeys, readKey } from './read-key.ts'
import type { StoredKey } from './stored-key.ts'

/** The key folder, its passphrase, and the algorithms that its keys must fit. */
export interface KeyFolder {
  readonly path: string
  readonly passphrase: string | undefined
  readonly algorithms: Algorithms
  /** How expensive it is to encrypt a key. The default is for production. */
  readonly scryptCost?: ScryptCost | undefined
  /** Keys that were decrypted before, so that they need not be decrypted again. */
  readonly opened?: OpenedKeys
}

const KEY_FILE = /^(sig|enc)(?:\.(next|[\w-]{43}))?\.key$/

/** The keys of a folder at one moment. */
export interface FolderContents {
  readonly keys: readonly StoredKey[]
  /** The records of keys that a command has removed. */
  readonly removed: KeyRecords
  /** The records of keys whose files are gone, although no command has removed them. */
  readonly missing: KeyRecords
  /** See `fingerprint`. */
  readonly fingerprint: string
}

/**
 * Reads every key of a folder. Another process may be changing the folder, so this reads again
 * until it has a consistent state. A folder that does not exist has no keys.
 *
 * @throws StartupError with one sentence for each key that cannot be read.
 */
export async function readFolder(folder: KeyFolder): Promise<FolderContents> {
  const { path, opened = new OpenedKeys() } = folder
  for (let attempt = 0; ; attempt++) {
    await finishCommit(path).catch((error: unknown) => {
      throw folderUnreadable(path, error)
    })
    const before = await fingerprint(path)
    const outcome = await readKeys(folder, opened).catch((error: unknown) => error as Error)
    const isStable = before === (await fingerprint(path)) && !(await isCommitting(path))
    if (!isStable && attempt < 10) continue
    if (outcome instanceof Error) throw outcome
    opened.retain(new Set(outcome.keys.map(({ pem }) => pem)))
    return { ...outcome, fingerprint: before }
  }
}

/** A text that changes whenever a key of the folder changes. */
export async function fingerprint(path: string): Promise<string> {
  const names = [...(await listKeyFiles(path)), RECORDS_FILE]
  const parts = await Promise.all(
    names.sort().map(async (name) => {
      const file = await stat(join(path, name)).catch(() => undefined)
      return [name, file?.mtimeMs, file?.size, file?.ino].join(' ')
    }),
  )
  return parts.join('\n')
}

/** The names of the key files in a folder. Empty if the folder does not exist. */
export async function listKeyFiles(path: string): Promise<string[]> {
  try {
    return (await readdir(path)).filter((name) => KEY_FILE.test(name))
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return []
    throw folderUnreadable(path, error)
  }
}

async function readKeys(
  folder: KeyFolder,
  opened: OpenedKeys,
): Promise<Omit<FolderContents, 'fingerprint'>> {
  const records = await readRecords(folder.path)
  // A starting server may use every core. A running one has requests to answer.
  const limit = pLimit(opened.isEmpty ? availableParallelism() : 1)
  const results = await limit.map(
    await listKeyFiles(folder.path),
    async (name): Promise<StoredKey | string> => {
      const path = join(folder.path, name)
      const [, use, role] = KEY_FILE.exec(name) as unknown as [string, KeyUse, string | undefined]
      const state = role === undefined ? 'current' : role === 'next' ? 'next' : 'previous'
      const raw = await readKey(path, folder.passphrase, opened)
      if (typeof raw === 'string') return raw
      if (state === 'previous' && role !== raw.kid) {
        return `${path} does not contain the key that it is named after. Restore it from your backup, or delete it.`
      }
      const record = records[raw.kid]
      const alg = algorithmOf({ use, state, key: raw.key, record }, folder.algorithms)
      const createdAt = record === undefined ? raw.modifiedAt : Date.parse(record.created)
      const currentSince = Date.parse(record?.current_since ?? '') || createdAt
      return { ...raw, use, state, name, path, alg, record, createdAt, currentSince }
    },
  )
  const problems = results.filter((result) => typeof result === 'string')
  if (problems.length > 0) throw new StartupError(problems)
  const keys = results.filter((result) => typeof result !== 'string')
  const present = new Set(keys.map(({ kid }) => kid))
  // A key that was restored from a backup counts as present, whatever its record says.
  const absent = Object.entries(records).filter(([kid]) => !present.has(kid))
  return {
    keys,
    removed: Object.fromEntries(absent.filter(([, { removed }]) => removed !== undefined)),
    missing: Object.fromEntries(absent.filter(([, { removed }]) => removed === undefined)),
  }
}

const folderUnreadable = (path: string, error: unknown): StartupError =>
  new StartupError([
    `The key folder ${path} cannot be read (${errorCode(error)}). Check KEYS_DIR and the permissions of the folder.`,
  ])

const errorCode = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? 'unknown'
