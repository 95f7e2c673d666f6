import {
  createHmac,
  createSecretKey,
  hash,
  hkdfSync,
  timingSafeEqual,
  type KeyObject,
} from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { z } from 'zod'
import { MAX_HTU } from '../../protocol/limits.ts'
import { PROOF_KEY_LENGTH, proofInput, proofKeyInfo } from '../../protocol/request-proof.ts'
import type { Confirmation, ConfirmationKey } from '../../protocol/tokens.ts'
import { invalid } from '../errors/token-error.ts'
import type { Decrypted, DecryptionKey } from './decrypt.ts'
import { sharedSecret } from './jwe/ephemeral-key.ts'

/** The most keys, of all clients together. */
const CAPACITY = 10_000
/** The base64url of 32 bytes. */
const digest = z.string().regex(/^[\w-]{43}$/)

/** None of these can contain a line break, so no two bindings have the same proof. */
const provenSchema = z.object({
  jti: z.string().regex(/^[\w-]{1,128}$/),
  iat: z.int().nonnegative(),
  htm: z.string().regex(/^[A-Za-z]+$/),
  htu: z
    .string()
    .max(MAX_HTU)
    .regex(/^[!-~]*$/),
  dig: digest.optional(),
  mac: digest,
})

/**
 * Checks that whoever sealed a key-bound token holds the private key of its client. The binding
 * checks that the token was sealed for this request and is sent only once.
 *
 * @param token The decrypted token: the JWS, with the header and the key of its JWE.
 * @param cnf The claim of that JWS, after verification.
 * @throws TokenError
 */
export function checkProof(
  { plaintext: jws, header, key }: Decrypted,
  cnf: Confirmation,
  proofKeys?: ProofKeys,
): void {
  // A key-bound token must name its key, because the proof is made for that key.
  if (header['kid'] !== key.kid) throw invalid('jwe_kid')
  const req = provenSchema.safeParse(header['req']).data
  if (req === undefined) throw invalid('proof_missing')
  const proofKey = proofKeys?.keyFor(cnf.jwk, key) ?? deriveProofKey(cnf.jwk, key)
  const input = proofInput(req, hash('sha256', jws, 'base64url'))
  const mac = createHmac('sha256', proofKey).update(input).digest('base64url')
  // Compared as text, because base64url decoders ignore stray bits.
  if (!timingSafeEqual(Buffer.from(req.mac), Buffer.from(mac))) throw invalid('proof')
}

export type ProofKeys = ReturnType<typeof createProofKeys>

/**
 * The keys of recent proofs: the first proof of a client costs a key agreement, the next ones only
 * an HMAC.
 *
 * @param capacity The most keys. The least recently used is dropped to make room.
 */
export function createProofKeys(capacity = CAPACITY) {
  const keys = new LRUCache<string, KeyObject>({ max: capacity })
  return {
    /** @throws TokenError as `deriveProofKey` does. */
    keyFor(client: ConfirmationKey, recipient: DecryptionKey): KeyObject {
      const id = `${thumbprintOf(client)} ${recipient.kid}`
      const key = keys.get(id) ?? deriveProofKey(client, recipient)
      keys.set(id, key)
      return key
    },
    clear: () => {
      keys.clear()
    },
  }
}

/**
 * Derives the HMAC key of a client's proofs for one recipient: see protocol/request-proof.ts.
 *
 * @throws TokenError if the two keys are on different curves, or have no shared secret: for a point
 *   off the curve or of low order (RFC 7748 §6.1).
 */
function deriveProofKey(client: ConfirmationKey, { kid, privateKey }: DecryptionKey): KeyObject {
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
