import type { KeyObject } from 'node:crypto'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { calculateJwkThumbprint } from 'jose'
import { StartupError } from '../startup-error.ts'
import type { Algorithms, KeyUse } from './algorithms.ts'
import { finishCommit, isCommitting } from './folder-transaction.ts'
import { readRecords, RECORDS_FILE, type KeyRecord } from './key-records.ts'
import { publicKeyOf } from './key-type.ts'
import { isEncrypted, parsePrivateKey, type PemError, type PemFault } from './pem.ts'

/** Where a server's keys lie and what they must be. */
export interface KeyFolder {
  readonly path: string
  readonly passphrase: string | undefined
  readonly algorithms: Algorithms
}

/** A key's life: next → current → previous → gone. The next one is published before it is used. */
export type KeyState = 'next' | 'current' | 'previous'

/** A key as it lies in the folder: whether it fits the configuration has not been asked. */
export interface StoredKey {
  readonly use: KeyUse
  readonly state: KeyState
  /** The file's name in the folder. */
  readonly name: string
  readonly path: string
  readonly pem: string
  readonly key: KeyObject
  readonly kid: string
  readonly record: KeyRecord | undefined
  /** Milliseconds since the epoch. */
  readonly createdAt: number
  /** Of a current key: since when it has been that, milliseconds since the epoch. */
  readonly currentSince: number
  readonly encrypted: boolean
  /** What is no fault but ought to be known, a sentence each. */
  readonly warnings: readonly string[]
}

/** `sig.key`, `sig.next.key`, `sig.<kid>.key`: a previous key is named by its thumbprint. */
export function keyFileName(use: KeyUse, state: KeyState, kid = ''): string {
  if (state === 'current') return `${use}.key`
  return state === 'next' ? `${use}.next.key` : `${use}.${kid}.key`
}

const KEY_FILE = /^(sig|enc)(?:\.(next|[\w-]{43}))?\.key$/

/**
 * Reads every key of a folder, from one of its consistent states: another process may be changing
 * it. A folder that is not there has no keys.
 *
 * @throws StartupError with a sentence for each key that cannot be read.
 */
export async function readFolder(
  folder: KeyFolder,
): Promise<{ keys: StoredKey[]; fingerprint: string }> {
  for (let attempt = 0; ; attempt++) {
    await finishCommit(folder.path).catch((error: unknown) => {
      throw folderUnreadable(folder.path, error)
    })
    const before = await fingerprint(folder.path)
    const outcome = await readKeys(folder).catch((error: unknown) => error as Error)
    const isStable =
      before === (await fingerprint(folder.path)) && !(await isCommitting(folder.path))
    if (!isStable && attempt < 10) continue
    if (outcome instanceof Error) throw outcome
    return { keys: outcome, fingerprint: before }
  }
}

/** Whether there is a key in the folder, or a change that was cut short may bring one. */
export async function hasKeys(path: string): Promise<boolean> {
  return (await list(path)).length > 0 || (await isCommitting(path))
}

/** Whether a key of the folder is under a passphrase. */
export async function isProtected(path: string): Promise<boolean> {
  const pems = (await list(path)).map((name) => readFile(join(path, name), 'utf8').catch(() => ''))
  return (await Promise.all(pems)).some(isEncrypted)
}

/** A text that changes when a key of the folder does. */
export async function fingerprint(path: string): Promise<string> {
  const names = [...(await list(path)), RECORDS_FILE]
  const parts = await Promise.all(
    names.sort().map(async (name) => {
      const file = await stat(join(path, name)).catch(() => undefined)
      return [name, file?.mtimeMs, file?.size, file?.ino].join(' ')
    }),
  )
  return parts.join('\n')
}

async function list(path: string): Promise<string[]> {
  try {
    return (await readdir(path)).filter((name) => KEY_FILE.test(name))
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return []
    throw folderUnreadable(path, error)
  }
}

async function readKeys(folder: KeyFolder): Promise<StoredKey[]> {
  const records = await readRecords(folder.path)
  const results = await Promise.all(
    (await list(folder.path)).map(async (name) => {
      const path = join(folder.path, name)
      const [, use, role] = KEY_FILE.exec(name) as unknown as [string, KeyUse, string | undefined]
      const state = role === undefined ? 'current' : role === 'next' ? 'next' : 'previous'
      const raw = await readKey(path, folder.passphrase)
      if (typeof raw === 'string') return raw
      const kid = await calculateJwkThumbprint(publicKeyOf(raw.key).export({ format: 'jwk' }))
      if (state === 'previous' && role !== kid) {
        return `${path} is not the key that it is named after. Restore it from your backup, or delete it.`
      }
      const record = records[kid]
      const createdAt = record === undefined ? raw.modifiedAt : Date.parse(record.created)
      const currentSince = Date.parse(record?.current_since ?? '') || createdAt
      return {
        ...raw,
        ...{ use, state, name, path, kid, record, createdAt, currentSince },
      } satisfies StoredKey
    }),
  )
  const problems = results.filter((result) => typeof result === 'string')
  if (problems.length > 0) throw new StartupError(problems)
  return results.filter((result) => typeof result !== 'string')
}

/** A private key and its file, or the sentence that says why there is none. */
async function readKey(path: string, passphrase: string | undefined) {
  let pem: string
  try {
    pem = await readFile(path, 'utf8')
  } catch (error) {
    return `${path} cannot be read (${errorCode(error)}). Make it a file that the server's user may read.`
  }
  let key: KeyObject
  try {
    key = parsePrivateKey(pem, passphrase)
  } catch (error) {
    return `${path} ${explain((error as PemError).fault)}`
  }
  const { mode, mtimeMs } = await stat(path).catch(() => ({ mode: 0, mtimeMs: 0 }))
  const encrypted = isEncrypted(pem)
  const warnings: string[] = []
  if (!encrypted) {
    warnings.push(
      `${path} is not protected by a passphrase: whoever can read the file can sign or read tokens. Protect every key with: npm run keys -- passphrase`,
    )
  }
  if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
    warnings.push(
      `${path} can be read or written by others than its owner (mode ${(mode & 0o777).toString(8)}). Run: chmod 600 ${path}`,
    )
  }
  return { pem, key, modifiedAt: mtimeMs, encrypted, warnings }
}

/** What to do about a PEM that gave no key: finishes the sentence "<path> …". */
function explain(fault: PemFault): string {
  switch (fault) {
    case 'corrupt':
      return 'holds no private key in PEM form, or a damaged one. Restore it from your backup.'
    case 'public':
      return 'holds a public key. The private key belongs there.'
    case 'passphrase_missing':
      return 'is protected by a passphrase, and PRIVATE_KEY_PASSPHRASE is not set. Set it.'
    case 'passphrase_wrong':
      return 'does not open with PRIVATE_KEY_PASSPHRASE. Set the passphrase that the key was made with.'
  }
}

const folderUnreadable = (path: string, error: unknown): StartupError =>
  new StartupError([
    `The key folder ${path} cannot be read (${errorCode(error)}). Check KEYS_DIR and the rights on the folder.`,
  ])

const errorCode = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? 'unknown'
