import { createPublicKey, type KeyObject } from 'node:crypto'
import { calculateJwkThumbprint } from 'jose'
import { parsePrivateKey } from './pem.ts'

/** A private key and its thumbprint. */
interface OpenedKey {
  readonly key: KeyObject
  readonly kid: string
}

/**
 * A cache of decrypted keys, by the text of their files. Decrypting a key takes about 50 ms of CPU
 * time, so only the files that have changed are decrypted when a folder is read again.
 */
export interface OpenedKeys {
  readonly isEmpty: boolean
  /** Reads the key of a PEM text. @throws PemError */
  open(pem: string, passphrase: string | undefined): Promise<OpenedKey>
  /** Forgets the keys of all texts but these. */
  retain(pems: ReadonlySet<string>): void
}

export function createOpenedKeys(): OpenedKeys {
  const keys = new Map<string, OpenedKey>()
  return {
    get isEmpty() {
      return keys.size === 0
    },
    async open(pem, passphrase) {
      const known = keys.get(pem)
      if (known !== undefined) return known
      const key = await parsePrivateKey(pem, passphrase)
      const kid = await calculateJwkThumbprint(createPublicKey(key).export({ format: 'jwk' }))
      keys.set(pem, { key, kid })
      return { key, kid }
    },
    retain(pems) {
      for (const pem of keys.keys()) if (!pems.has(pem)) keys.delete(pem)
    },
  }
}
