import { join } from 'node:path'
import { StartupError } from '../errors/startup-error.ts'
import type { KeyUse } from '../../protocol/algorithms.ts'
import { readFolder, type KeyFolder } from './folder.ts'
import type { KeyRecords } from './key-records.ts'
import { keyFileName, type StoredKey } from './stored-key.ts'
import { misfit } from './key-algorithm.ts'
import { toKeyPair, type KeyPair } from './key-pair.ts'

/** The keys of one use, in each state of their life. */
export interface KeyRing {
  readonly current: KeyPair
  /**
   * Published and accepted, but not used yet. A folder with only an operator's own keys has none.
   */
  readonly next: KeyPair | undefined
  /** No longer used, but accepted until everything made with them has expired. */
  readonly previous: readonly KeyPair[]
  /** When the current key became current, in milliseconds since the epoch. */
  readonly currentSince: number
}

/** All keys that a server signs, verifies, encrypts and decrypts with. */
export interface KeySet {
  readonly sig: KeyRing
  readonly enc: KeyRing
  /**
   * Retired encryption keys that are still in the folder. They decrypt stored data, but no tokens.
   */
  readonly retired: readonly KeyPair[]
  /** The kids of keys that a command has removed from the folder for good. */
  readonly removed: readonly string[]
}

/** The keys that were loaded from a folder. */
export interface LoadedKeys extends KeySet {
  /** What the operator should know, one sentence each. */
  readonly warnings: readonly string[]
  /** The state of the folder when they were read: see folder.ts. */
  readonly fingerprint: string
}

const GENERATE = '`npm run keys -- generate`'

/**
 * Loads the keys of a folder. Each key is bound to the one algorithm that it was made for. The
 * current keys must fit the configured algorithms.
 *
 * @param now Milliseconds since the epoch. Decides which previous keys have retired.
 * @throws StartupError with one sentence for each key that is missing, unreadable or wrong.
 */
export async function loadKeys(folder: KeyFolder, now = Date.now()): Promise<LoadedKeys> {
  const { keys, removed, missing, fingerprint } = await readFolder(folder)
  const [sig, enc] = [currentOf(keys, 'sig'), currentOf(keys, 'enc')]
  if (sig === undefined || enc === undefined) {
    throw new StartupError([noCurrent(folder.path, sig, enc)])
  }
  const problems = [
    ...[sig, enc].flatMap((key) => misfit(key, folder.algorithms) ?? []),
    ...repeated(folder.path, keys),
  ]
  if (problems.length > 0) throw new StartupError(problems)
  const retired = keys.filter((key) => hasRetired(key, now))
  const inUse = keys.filter((key) => !retired.includes(key))
  return {
    sig: await toRing(inUse, sig),
    enc: await toRing(inUse, enc),
    retired: await Promise.all(retired.filter(({ use }) => use === 'enc').map(toPair)),
    removed: Object.keys(removed),
    warnings: [...keys.flatMap(({ warnings }) => warnings), ...lost(folder.path, missing, now)],
    fingerprint,
  }
}

/** Whether everything made with a previous key has expired. */
export const hasRetired = ({ state, record }: StoredKey, now: number): boolean =>
  state === 'previous' && record?.retires !== undefined && Date.parse(record.retires) <= now

export const currentOf = (keys: readonly StoredKey[], use: KeyUse): StoredKey | undefined =>
  keys.find((key) => key.use === use && key.state === 'current')

const toPair = ({ key, use, alg }: StoredKey): Promise<KeyPair> => toKeyPair(key, use, alg)

async function toRing(keys: readonly StoredKey[], current: StoredKey): Promise<KeyRing> {
  const ofUse = keys.filter(({ use }) => use === current.use)
  const next = ofUse.find(({ state }) => state === 'next')
  const previous = ofUse.filter(({ state }) => state === 'previous')
  return {
    current: await toPair(current),
    next: next && (await toPair(next)),
    previous: await Promise.all(previous.map(toPair)),
    currentSince: current.currentSince,
  }
}

/** One sentence for each key that is gone before everything made with it has expired. */
function lost(path: string, missing: KeyRecords, now: number): string[] {
  return Object.entries(missing)
    .filter(([, { retires }]) => retires !== undefined && Date.parse(retires) > now)
    .map(
      ([kid, { retires }]) =>
        `The previous key ${kid} is missing in ${path}, although it is needed until ${retires}. Restore it from your backup: what was made with it is refused meanwhile.`,
    )
}

/** One sentence for each file with the key of a file before it. */
function repeated(path: string, keys: readonly StoredKey[]): string[] {
  return keys.flatMap(({ kid, name }) => {
    const twins = keys.filter((key) => key.kid === kid).map((key) => key.name)
    if (twins[0] === name) return []
    return `${twins.join(' and ')} in ${path} are the same key, but ${name} must be a different one. Use one key for one purpose only: make new keys with ${GENERATE} in an empty folder.`
  })
}

function noCurrent(path: string, sig: StoredKey | undefined, enc: StoredKey | undefined): string {
  if (sig === undefined && enc === undefined) {
    return `There are no keys in ${path}. Make them with ${GENERATE}, or put your own sig.key and enc.key there.`
  }
  const [gone, there] = sig === undefined ? (['sig', 'enc'] as const) : (['enc', 'sig'] as const)
  return `${join(path, keyFileName(gone, 'current'))} is missing, but ${keyFileName(there, 'current')} is there. Restore it from your backup. Or, to start over and sign everybody out, move ${keyFileName(there, 'current')} away and make both with ${GENERATE}.`
}
