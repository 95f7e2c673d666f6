import type { JSONWebKeySet } from 'jose'
import type { Recipient } from '../token/encrypt.ts'
import type { Algorithms, EncryptionAlg } from './algorithms.ts'
import type { KeyFolder } from './folder.ts'
import { generateKeyPair, type KeyPair } from './key-pair.ts'
import { loadKeys, type KeyRing, type KeySet } from './key-set.ts'

/** The server's own keys as the rest of the server sees them. They may change between two looks. */
export interface Keystore {
  /** Signs new tokens. */
  readonly signingKey: KeyPair
  /** What clients and the server itself encrypt to. */
  readonly encryptionKey: KeyPair
  /** The key that verifies tokens signed by `kid`, if it is one of ours. */
  verificationKey(kid: string): KeyPair | undefined
  /** The key that decrypts what was encrypted to `kid`; without one, the current key. */
  decryptionKey(kid: string | undefined): KeyPair | undefined
  /** The public halves, as published (RFC 7517 §5): of each use the current key comes first. */
  readonly jwks: JSONWebKeySet
  /** Since when the older of the current keys has been that, milliseconds since the epoch. */
  readonly currentSince: number
}

/** Which keys a change of keys brought and took away. */
export interface KeyChanges {
  readonly came: readonly string[]
  readonly went: readonly string[]
}

export interface ReloadableKeystore extends Keystore {
  /** Replaces all keys at once. Requests under way are not disturbed. */
  replace(keys: KeySet): KeyChanges
}

/** A keystore of a set of keys. */
export function createKeystore(initial: KeySet): ReloadableKeystore {
  let keys = toLookup(initial)
  return {
    get signingKey() {
      return keys.set.sig.current
    },
    get encryptionKey() {
      return keys.set.enc.current
    },
    verificationKey: (kid) => keys.sig.get(kid),
    decryptionKey: (kid) => (kid === undefined ? keys.set.enc.current : keys.enc.get(kid)),
    get jwks() {
      return keys.jwks
    },
    get currentSince() {
      return Math.min(keys.set.sig.currentSince, keys.set.enc.currentSince)
    },
    replace(set) {
      const before = new Set([...keys.sig.keys(), ...keys.enc.keys()])
      keys = toLookup(set)
      const after = new Set([...keys.sig.keys(), ...keys.enc.keys()])
      return {
        came: [...after].filter((kid) => !before.has(kid)),
        went: [...before].filter((kid) => !after.has(kid)),
      }
    },
  }
}

function toLookup(set: KeySet) {
  const [sig, enc] = [set.sig, set.enc].map(
    ({ current, next, previous }: KeyRing) =>
      // The next key too: a server that was told of a rotation sooner may have used it already.
      new Map(
        [current, ...(next === undefined ? [] : [next]), ...previous].map((key) => [key.kid, key]),
      ),
  ) as [Map<string, KeyPair>, Map<string, KeyPair>]
  const jwks = { keys: [...sig.values(), ...enc.values()].map(({ publicJwk }) => publicJwk) }
  return { set, sig, enc, jwks }
}

/** The keystore of the configured boot mode, and what its operator ought to know. */
export async function openKeystore(config: {
  readonly preserveSessions: boolean
  readonly keysDir: string
  readonly privateKeyPassphrase: string | undefined
  readonly algorithms: Algorithms
}): Promise<{
  keystore: ReloadableKeystore
  warnings: readonly string[]
  fingerprint: string | undefined
}> {
  const keys = config.preserveSessions
    ? await loadKeys(keyFolderOf(config))
    : await generateKeySet(config.algorithms)
  const { warnings, fingerprint } = keys
  return { keystore: createKeystore(keys), warnings, fingerprint }
}

export const keyFolderOf = (config: {
  readonly keysDir: string
  readonly privateKeyPassphrase: string | undefined
  readonly algorithms: Algorithms
}): KeyFolder => ({
  path: config.keysDir,
  passphrase: config.privateKeyPassphrase,
  algorithms: config.algorithms,
})

/** Fresh keys that live in memory alone: every token made with them dies with the process. */
export async function createEphemeralKeystore(algorithms: Algorithms): Promise<ReloadableKeystore> {
  return createKeystore(await generateKeySet(algorithms))
}

async function generateKeySet(algorithms: Algorithms): Promise<KeySet> {
  const ring = async (use: 'sig' | 'enc'): Promise<KeyRing> => ({
    current: await generateKeyPair(use, algorithms),
    next: undefined,
    previous: [],
    currentSince: Date.now(),
  })
  return { sig: await ring('sig'), enc: await ring('enc'), warnings: [] }
}

/** The server itself, as one to encrypt to. */
export function recipient({ encryptionKey }: Keystore): Recipient {
  const { kid, publicKey, alg } = encryptionKey
  return { kid, key: publicKey, alg: alg as EncryptionAlg }
}
