import type { JSONWebKeySet } from 'jose'
import type { Algorithms, EncryptionAlg } from '../../protocol/algorithms.ts'
import { generateKeyPair, type KeyPair } from './key-pair.ts'
import type { KeyRing, KeySet } from './key-set.ts'

/**
 * The key, if there is one. For an unknown kid, the key folder is read again first: another server
 * may have noticed a rotation sooner. Rejects with UnavailableError if the folder cannot be read.
 */
type Found = KeyPair | undefined | Promise<KeyPair | undefined>

/** The keys of the server. They may change at any time, so read them again for each use. */
export interface Keystore {
  /** Signs new tokens. */
  readonly signingKey: KeyPair
  /** The key that clients and the server itself encrypt to. */
  readonly encryptionKey: KeyPair<EncryptionAlg>
  /** The key that verifies tokens signed by `kid`, if it is ours. */
  verificationKey(kid: string): Found
  /** The key that decrypts tokens encrypted to `kid`. Without a `kid`, the current key. */
  decryptionKey(kid: string | undefined): Found
  /**
   * The key that decrypts stored data encrypted to `kid`. Includes retired keys while their files
   * exist.
   */
  storageKey(kid: string): Found
  /**
   * Whether `kid` is retiring or retired, so that stored data should be encrypted to the current
   * key.
   */
  isPrevious(kid: string): boolean
  /** Whether a command has removed the key from the folder for good. */
  isRemoved(kid: string): boolean
  /** The published public keys (RFC 7517 §5). The current key of each use comes first. */
  readonly jwks: JSONWebKeySet
  /** Calls `listener` after every reload, with the kids that are now in use. */
  onReplaced(listener: (kids: ReadonlySet<string>) => void): void
  /** When the older of the two current keys became current, in milliseconds since the epoch. */
  readonly currentSince: number
}

/** The keys added and removed by a reload. */
export interface KeyChanges {
  readonly added: readonly string[]
  readonly removed: readonly string[]
}

export interface ReloadableKeystore extends Keystore {
  /** Replaces all keys at once. Requests under way are not affected. */
  replace(keys: KeySet): KeyChanges
  /** Sets `look`, which is called for an unknown kid from now on and may replace the keys. */
  follow(look: () => Promise<void>): void
}

/** Creates a keystore from a set of keys. */
export function createKeystore(initial: KeySet): ReloadableKeystore {
  let keys = toLookup(initial)
  let look: (() => Promise<void>) | undefined
  const listeners: ((kids: ReadonlySet<string>) => void)[] = []

  function find(lookUp: () => KeyPair | undefined): Found {
    return lookUp() ?? look?.().then(lookUp)
  }

  return {
    get signingKey() {
      return keys.set.sig.current
    },
    get encryptionKey() {
      return keys.set.enc.current as KeyPair<EncryptionAlg>
    },
    verificationKey: (kid) => find(() => keys.sig.get(kid)),
    decryptionKey: (kid) =>
      kid === undefined ? keys.set.enc.current : find(() => keys.enc.get(kid)),
    storageKey: (kid) => find(() => keys.enc.get(kid) ?? keys.retired.get(kid)),
    isPrevious(kid) {
      const { current, next } = keys.set.enc
      // Data encrypted to the next key comes from a server that has already made that key current.
      const isInUse = kid === current.kid || kid === next?.kid
      return !isInUse && (keys.enc.has(kid) || keys.retired.has(kid))
    },
    isRemoved: (kid) => keys.removed.has(kid),
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
      for (const listener of listeners) listener(after)
      return {
        added: [...after].filter((kid) => !before.has(kid)),
        removed: [...before].filter((kid) => !after.has(kid)),
      }
    },
    onReplaced(listener) {
      listeners.push(listener)
    },
    follow(lookAgain) {
      look = lookAgain
    },
  }
}

function toLookup(set: KeySet) {
  const [sig, enc] = [set.sig, set.enc].map(
    ({ current, next, previous }: KeyRing) =>
      // Includes the next key: a server that noticed a rotation sooner may already use it.
      new Map(
        [current, ...(next === undefined ? [] : [next]), ...previous].map((key) => [key.kid, key]),
      ),
  ) as [Map<string, KeyPair>, Map<string, KeyPair>]
  const jwks = { keys: [...sig.values(), ...enc.values()].map(({ publicJwk }) => publicJwk) }
  const retired = new Map(set.retired.map((key) => [key.kid, key]))
  return { set, sig, enc, retired, removed: new Set(set.removed), jwks }
}

/**
 * Creates a keystore with new keys in memory. Every token made with them dies with the process.
 *
 * @param now Milliseconds since the epoch.
 */
export async function createEphemeralKeystore(
  algorithms: Algorithms,
  now = Date.now(),
): Promise<ReloadableKeystore> {
  const ring = async (use: 'sig' | 'enc'): Promise<KeyRing> => ({
    current: await generateKeyPair(use, algorithms),
    next: undefined,
    previous: [],
    currentSince: now,
  })
  const [sig, enc] = [await ring('sig'), await ring('enc')]
  return createKeystore({ sig, enc, retired: [], removed: [] })
}
