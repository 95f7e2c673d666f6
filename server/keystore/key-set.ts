import type { KeyObject } from 'node:crypto'
import { join } from 'node:path'
import { StartupError } from '../errors/startup-error.ts'
import {
  algorithmFor,
  ENCRYPTION_ALGS,
  ENCRYPTION_CURVES,
  requiredKeyType,
  SIGNING_ALGS,
  SIGNING_KEY_TYPES,
  type Algorithms,
  type KeyUse,
} from '../../protocol/algorithms.ts'
import { keyFileName, readFolder, type KeyFolder, type StoredKey } from './folder.ts'
import { toKeyPair, type KeyPair } from './key-pair.ts'
import { mismatch } from './key-type.ts'

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
const ROTATE = '`npm run keys -- rotate`'
const VARIABLE = { sig: 'TOKEN_SIGNING_ALG', enc: 'TOKEN_ENCRYPTION_ALG' } as const

/**
 * Loads the keys of a folder. Each key is bound to the one algorithm that it was made for. The
 * current keys must fit the configured algorithms.
 *
 * @param now Milliseconds since the epoch. Decides which previous keys have retired.
 * @throws StartupError with one sentence for each key that is missing, unreadable or wrong.
 */
export async function loadKeys(folder: KeyFolder, now = Date.now()): Promise<LoadedKeys> {
  const { keys, removed, fingerprint } = await readFolder(folder)
  const sig = currentOf(keys, 'sig')
  const enc = currentOf(keys, 'enc')
  if (sig === undefined || enc === undefined)
    throw new StartupError([missing(folder.path, sig, enc)])
  const problems = [sig, enc].flatMap((key) => unfit(key, folder.algorithms))
  const kids = new Set<string>()
  for (const { kid, name } of keys) {
    if (kids.has(kid)) {
      const twins = keys.filter((key) => key.kid === kid).map((key) => key.name)
      problems.push(
        `${twins.join(' and ')} in ${folder.path} are the same key, but ${name} must be a different one. Use one key for one purpose only: make new keys with ${GENERATE} in an empty folder.`,
      )
    }
    kids.add(kid)
  }
  if (problems.length > 0) throw new StartupError(problems)
  const pair = (stored: StoredKey): Promise<KeyPair> =>
    toKeyPair(stored.key, stored.use, algorithmOf(stored, folder.algorithms))
  const retired = keys.filter((key) => hasRetired(key, now))
  const inUse = keys.filter((key) => !retired.includes(key))
  return {
    sig: await toRing(inUse, sig, pair),
    enc: await toRing(inUse, enc, pair),
    retired: await Promise.all(retired.filter(({ use }) => use === 'enc').map(pair)),
    removed: Object.keys(removed),
    warnings: keys.flatMap(({ warnings }) => warnings),
    fingerprint,
  }
}

/** Whether everything made with a previous key has expired. */
export const hasRetired = ({ state, record }: StoredKey, now: number): boolean =>
  state === 'previous' && record?.retires !== undefined && Date.parse(record.retires) <= now

export const currentOf = (keys: readonly StoredKey[], use: KeyUse): StoredKey | undefined =>
  keys.find((key) => key.use === use && key.state === 'current')

/** The algorithm that a key is bound to: the recorded one, or else one that fits its type. */
export function algorithmOf(
  { use, state, key, record }: StoredKey,
  algorithms: Algorithms,
): KeyPair['alg'] {
  const configured = algorithmFor(use, algorithms)
  const fits = mismatch(key, requiredKeyType(use, algorithms)) === undefined
  // Several key management algorithms can share a key type. The configured one is then published.
  if (use === 'enc' && state === 'current' && fits) return configured
  if (record !== undefined) return record.alg
  if (fits) return configured
  return use === 'sig' ? guessSigningAlg(key) : guessEncryptionAlg(key)
}

/** Says why a key does not fit the configuration. Empty if it fits. */
export function unfit(
  stored: Pick<StoredKey, 'use' | 'path' | 'key' | 'record'>,
  algorithms: Algorithms,
): string[] {
  const { use, path, key, record } = stored
  const configured = `${VARIABLE[use]}=${algorithmFor(use, algorithms)}`
  const remedy = `To switch to the configured algorithm and keep everybody signed in, run ${ROTATE}. Or change the configuration to fit the key.`
  const fault = mismatch(key, requiredKeyType(use, algorithms))
  if (fault !== undefined) return [`${path} is ${fault}, which ${configured} requires. ${remedy}`]
  if (use === 'sig' && record !== undefined && record.alg !== algorithms.signingAlg) {
    return [
      `${path} was made for ${record.alg}, but the configuration says ${configured}. ${remedy}`,
    ]
  }
  return []
}

async function toRing(
  keys: readonly StoredKey[],
  current: StoredKey,
  pair: (stored: StoredKey) => Promise<KeyPair>,
): Promise<KeyRing> {
  const ofUse = keys.filter(({ use }) => use === current.use)
  const next = ofUse.find(({ state }) => state === 'next')
  const previous = ofUse.filter(({ state }) => state === 'previous')
  return {
    current: await pair(current),
    next: next && (await pair(next)),
    previous: await Promise.all(previous.map(pair)),
    currentSince: current.currentSince,
  }
}

function missing(path: string, sig: StoredKey | undefined, enc: StoredKey | undefined): string {
  if (sig === undefined && enc === undefined) {
    return `There are no keys in ${path}. Make them with ${GENERATE}, or put your own sig.key and enc.key there.`
  }
  const [gone, there] = sig === undefined ? (['sig', 'enc'] as const) : (['enc', 'sig'] as const)
  return `${join(path, keyFileName(gone, 'current'))} is missing, but ${keyFileName(there, 'current')} is there. Restore it from your backup. Or, to start over and sign everybody out, move ${keyFileName(there, 'current')} away and make both with ${GENERATE}.`
}

const guessSigningAlg = (key: KeyObject): KeyPair['alg'] =>
  SIGNING_ALGS.find((alg) => mismatch(key, SIGNING_KEY_TYPES[alg]) === undefined) ?? 'ES256'

const guessEncryptionAlg = (key: KeyObject): KeyPair['alg'] =>
  Object.values(ENCRYPTION_CURVES).some((type) => mismatch(key, type) === undefined)
    ? ENCRYPTION_ALGS[0]
    : 'RSA-OAEP-256'
