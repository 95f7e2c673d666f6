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
export type Keystore = ReturnType<typeof createKeystore>

/** Creates a keystore from a set of keys. */
export function createKeystore(initial: KeySet) {
  let keys = toLookup(initial)
  let look: (() => Promise<void>) | undefined
  const listeners: (() => void)[] = []

  function find(lookUp: () => KeyPair | undefined): Found {
    return lookUp() ?? look?.().then(lookUp)
  }

  return {
    /** Signs new tokens. */
    get signingKey(): KeyPair {
      return keys.set.sig.current
    },
    /** The key that clients and the server itself encrypt to. */
    get encryptionKey() {
      return keys.set.enc.current as KeyPair<EncryptionAlg>
    },
    /** The key that verifies tokens signed by `kid`, if it is ours. */
    verificationKey: (kid: string): Found => find(() => keys.sig.get(kid)),
    /** The key that decrypts tokens encrypted to `kid`. Without a `kid`, the current key. */
    decryptionKey: (kid: string | undefined): Found =>
      kid === undefined ? keys.set.enc.current : find(() => keys.enc.get(kid)),
    /**
     * The key that decrypts stored data encrypted to `kid`. Includes retired keys while their files
     * exist.
     */
    storageKey: (kid: string): Found => find(() => keys.enc.get(kid) ?? keys.retired.get(kid)),
    /**
     * Whether `kid` is retiring or retired, so that stored data should be encrypted to the current
     * key.
     */
    isPrevious(kid: string): boolean {
      const { current, next } = keys.set.enc
      // Data encrypted to the next key comes from a server that has already made that key current.
      const isInUse = kid === current.kid || kid === next?.kid
      return !isInUse && (keys.enc.has(kid) || keys.retired.has(kid))
    },
    /** Whether a command has removed the key from the folder for good. */
    isRemoved: (kid: string): boolean => keys.set.removed.includes(kid),
    /** The published public keys (RFC 7517 §5). The current key of each use comes first. */
    get jwks(): JSONWebKeySet {
      return keys.jwks
    },
    /** When the older of the two current keys became current, in milliseconds since the epoch. */
    get currentSince(): number {
      return Math.min(keys.set.sig.currentSince, keys.set.enc.currentSince)
    },
    /**
     * Replaces all keys at once. Requests under way are not affected.
     *
     * @returns The kids that were added and removed.
     */
    replace(set: KeySet) {
      const before = keys.kids
      keys = toLookup(set)
      const { kids } = keys
      for (const listener of listeners) listener()
      return {
        added: [...kids].filter((kid) => !before.has(kid)),
        removed: [...before].filter((kid) => !kids.has(kid)),
      }
    },
    /** Calls `listener` after every replacement. */
    onReplaced(listener: () => void): void {
      listeners.push(listener)
    },
    /** Sets `look`, which is called for an unknown kid from now on and may replace the keys. */
    follow(lookAgain: () => Promise<void>): void {
      look = lookAgain
    },
  }
}

function toLookup(set: KeySet) {
  const byKid = (keys: readonly KeyPair[]) => new Map(keys.map((key) => [key.kid, key]))
  // Includes the next key: a server that noticed a rotation sooner may already use it.
  const [sig, enc] = [set.sig, set.enc].map(({ current, next, previous }) =>
    [current, next ?? [], previous].flat(),
  ) as [KeyPair[], KeyPair[]]
  return {
    set,
    sig: byKid(sig),
    enc: byKid(enc),
    retired: byKid(set.retired),
    kids: new Set([...sig, ...enc].map(({ kid }) => kid)),
    jwks: { keys: [...sig, ...enc].map(({ publicJwk }) => publicJwk) },
  }
}

/**
 * Creates a keystore with new keys in memory. Every token made with them dies with the process.
 *
 * @param now Milliseconds since the epoch.
 */
export async function createEphemeralKeystore(
  algorithms: Algorithms,
  now = Date.now(),
): Promise<Keystore> {
  const ring = async (use: 'sig' | 'enc'): Promise<KeyRing> => ({
    current: await generateKeyPair(use, algorithms),
    next: undefined,
    previous: [],
    currentSince: now,
  })
  const [sig, enc] = [await ring('sig'), await ring('enc')]
  return createKeystore({ sig, enc, retired: [], removed: [] })
}
