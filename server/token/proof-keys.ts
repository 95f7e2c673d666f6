import { createSecretKey, hash, hkdfSync, type KeyObject } from 'node:crypto'
import { PROOF_KEY_LENGTH, proofKeyInfo } from '../../protocol/request-proof.ts'
import type { ConfirmationKey } from '../../protocol/tokens.ts'
import type { DecryptionKey } from './decrypt.ts'
import { sharedSecret } from './jwe/ephemeral-key.ts'

/** The most keys, of all clients together. */
const CAPACITY = 10_000

/**
 * The keys of recent proofs: the first proof of a client costs a key agreement, the next ones only
 * an HMAC.
 */
export interface ProofKeys {
  /** @throws TokenError as `deriveProofKey` does. */
  find(client: ConfirmationKey, recipient: DecryptionKey): KeyObject
  /** Forgets the keys derived from every key of ours that is not among `kids`. */
  keepOnly(kids: ReadonlySet<string>): void
}

/** @param capacity The most keys. The least recently used key is dropped to make room. */
export function createProofKeys(capacity = CAPACITY): ProofKeys {
  // A Map iterates in the order of insertion.
  const keys = new Map<string, { readonly kid: string; readonly key: KeyObject }>()
  return {
    find(client, recipient) {
      const { kid } = recipient
      const id = `${thumbprintOf(client)} ${kid}`
      const known = keys.get(id) ?? { kid, key: deriveProofKey(client, recipient) }
      keys.delete(id)
      keys.set(id, known)
      if (keys.size > capacity) {
        for (const oldest of keys.keys()) {
          keys.delete(oldest)
          break
        }
      }
      return known.key
    },
    keepOnly(kids) {
      for (const [id, { kid }] of keys) if (!kids.has(kid)) keys.delete(id)
    },
  }
}

/**
 * Derives the HMAC key of a client's proofs for one recipient: see protocol/request-proof.ts.
 *
 * @throws TokenError if the two keys are on different curves, or have no shared secret: for a point
 *   off the curve or of low order (RFC 7748 §6.1).
 */
export function deriveProofKey(
  client: ConfirmationKey,
  { kid, privateKey }: DecryptionKey,
): KeyObject {
  const secret = sharedSecret(privateKey, client, 'cnf')
  const info = proofKeyInfo(thumbprintOf(client), kid)
  return createSecretKey(
    Buffer.from(hkdfSync('sha256', secret, Buffer.alloc(0), info, PROOF_KEY_LENGTH)),
  )
}

/** The thumbprint of a client's key (RFC 7638 §3): SHA-256, base64url. */
export const thumbprintOf = ({ kty, crv, x, y }: ConfirmationKey): string =>
  // In alphabetical order. JSON omits an undefined `y` (§3.2).
  hash('sha256', JSON.stringify({ crv, kty, x, y }), 'base64url')
