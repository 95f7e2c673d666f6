import type { JSONWebKeySet } from 'jose'
import { generateKeyPair, type KeyPair } from './key-pair.ts'
import { loadKeys } from './folder.ts'
import type { Recipient } from '../token/encrypt.ts'
import type { Algorithms, EncryptionAlg } from './algorithms.ts'

/** The server's own keys as the rest of the server sees them. */
export interface Keystore {
  /** Signs new tokens. */
  readonly signingKey: KeyPair
  /** What clients and the server itself encrypt to. */
  readonly encryptionKey: KeyPair
  /** The key that verifies tokens signed by `kid`, if it is one of ours. */
  verificationKey(kid: string): KeyPair | undefined
  /** The key that decrypts what was encrypted to `kid`; without one, the current key. */
  decryptionKey(kid: string | undefined): KeyPair | undefined
  /** The public halves, as published (RFC 7517 §5). */
  readonly jwks: JSONWebKeySet
}

/** A keystore of one signing and one encryption key. */
export function createKeystore(sig: KeyPair, enc: KeyPair): Keystore {
  return Object.freeze({
    signingKey: sig,
    encryptionKey: enc,
    verificationKey: (kid: string) => (kid === sig.kid ? sig : undefined),
    decryptionKey: (kid: string | undefined) =>
      kid === undefined || kid === enc.kid ? enc : undefined,
    jwks: { keys: [sig.publicJwk, enc.publicJwk] },
  })
}

/** The keystore of the configured boot mode, and what its operator ought to know. */
export async function openKeystore(config: {
  readonly preserveSessions: boolean
  readonly keysDir: string
  readonly privateKeyPassphrase: string | undefined
  readonly algorithms: Algorithms
}): Promise<{ keystore: Keystore; warnings: readonly string[] }> {
  const { algorithms } = config
  if (!config.preserveSessions) {
    return { keystore: await createEphemeralKeystore(algorithms), warnings: [] }
  }
  const { sig, enc, warnings } = await loadKeys({
    path: config.keysDir,
    passphrase: config.privateKeyPassphrase,
    algorithms,
  })
  return { keystore: createKeystore(sig.pair, enc.pair), warnings }
}

/** Fresh keys that live in memory alone: every token made with them dies with the process. */
export async function createEphemeralKeystore(algorithms: Algorithms): Promise<Keystore> {
  return createKeystore(
    await generateKeyPair('sig', algorithms),
    await generateKeyPair('enc', algorithms),
  )
}

/** The server itself, as one to encrypt to. */
export function recipient({ encryptionKey }: Keystore): Recipient {
  const { kid, publicKey, alg } = encryptionKey
  return { kid, key: publicKey, alg: alg as EncryptionAlg }
}
