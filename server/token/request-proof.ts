import { createHmac, hash, timingSafeEqual } from 'node:crypto'
import { z } from 'zod'
import { MAX_HTU } from '../../protocol/limits.ts'
import { proofInput } from '../../protocol/request-proof.ts'
import type { Confirmation } from '../../protocol/tokens.ts'
import { invalid } from '../errors/token-error.ts'
import type { Decrypted } from './decrypt.ts'
import { deriveProofKey, type ProofKeys } from './proof-keys.ts'

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
  known?: ProofKeys,
): void {
  // Mandatory here, because the proof is for the key that the sender names.
  if (header['kid'] !== key.kid) throw invalid('jwe_kid')
  const req = provenSchema.safeParse(header['req']).data
  if (req === undefined) throw invalid('proof_missing')
  const proofKey = known?.find(cnf.jwk, key) ?? deriveProofKey(cnf.jwk, key)
  const input = proofInput(req, hash('sha256', jws, 'base64url'))
  const mac = createHmac('sha256', proofKey).update(input).digest('base64url')
  // Compared as text, because base64url decoders ignore stray bits.
  if (!timingSafeEqual(Buffer.from(req.mac), Buffer.from(mac))) throw invalid('proof')
}
