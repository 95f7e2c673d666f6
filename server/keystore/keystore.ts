import type { JSONWebKeySet } from 'jose'
import type { Algorithms, EncryptionAlg } from '../../protocol/algorithms.ts'
import { generateKeyPair, type KeyPair } from './key-pair.ts'
import type { KeyRing, KeySet } from './key-set.ts'

/**
 * A key if there is one. If the kid is not known, the key folder is read again first, because another
 * server may have read a rotation sooner. That may end in UnavailableError.
 */
type Found = KeyPair | undefined | Promise<KeyPair | undefined>

/** The server's own keys. They may change between two calls. */
export interface Keystore {
  /** Signs new tokens. */
  readonly signingKey: KeyPair
  /** What clients and the server itself encrypt to. */
  readonly encryptionKey: KeyPair<EncryptionAlg>
  /** The key that verifies tokens signed by `kid`, if it is one of ours. */
  verificationKey(kid: string): Found
  /** The key that decrypts a token that was encrypted to `kid`; without one, the current key. */
  decryptionKey(kid: string | undefined): Found
  /** The key that opens stored data sealed to `kid`: one that has retired too, while its file is there. */
  storageKey(kid: string): Found
  /** Whether stored data sealed to `kid` should move to the current key, because `kid` will retire or has. */
  isPrevious(kid: string): boolean
  /** Whether a command has removed the key from the folder: it will not come back. */
  isRemoved(kid: string): boolean
  /** The public halves, as published (RFC 7517 §5): of each use the current key comes first. */
  readonly jwks: JSONWebKeySet
  /** Calls `listener` with the kids that are left each time the keys have been replaced. */
  onReplaced(listener: (kids: ReadonlySet<string>) => void): void
  /** Since when the older of the current keys has been that, milliseconds since the epoch. */
  readonly currentSince: number
}

/** The keys added and removed by a reload. */
export interface KeyChanges {
  readonly came: readonly string[]
  readonly went: readonly string[]
}

export interface ReloadableKeystore extends Keystore {
  /** Replaces all keys at once. Requests under way are not disturbed. */
  replace(keys: KeySet): KeyChanges
  /** From now on, `look` is called for a kid that is not known, and may replace the keys. */
  follow(look: () => Promise<void>): void
}

/** A keystore of a set of keys. */
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
      // What is sealed to the next key comes from a server that has made it the current one already.
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
        came: [...after].filter((kid) => !before.has(kid)),
        went: [...before].filter((kid) => !after.has(kid)),
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
      // The next key too: a server that was told of a rotation sooner may have used it already.
      new Map(
        [current, ...(next === undefined ? [] : [next]), ...previous].map((key) => [key.kid, key]),
      ),
  ) as [Map<string, KeyPair>, Map<string, KeyPair>]
  const jwks = { keys: [...sig.values(), ...enc.values()].map(({ publicJwk }) => publicJwk) }
  const retired = new Map(set.retired.map((key) => [key.kid, key]))
  return { set, sig, enc, retired, removed: new Set(set.removed), jwks }
}

/**
 * Fresh keys that live in memory alone: every token made with them dies with the process.
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
