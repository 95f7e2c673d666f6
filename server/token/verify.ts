import type { KeyObject } from 'node:crypto'
import { z } from 'zod'
import type { SigningAlg } from '../../protocol/algorithms.ts'
import { parseCompact, parseObject } from './compact.ts'
import { invalid } from '../errors/token-error.ts'
import { isSignature } from './signature.ts'

/** A verification key, bound to its only algorithm (RFC 8725 §3.1). */
export interface VerificationKey {
  readonly kid: string
  readonly alg: string
  readonly publicKey: KeyObject
}

/** Finds the key for a header's `kid`, if necessary by fetching the published keys. */
export type VerificationKeys = (
  kid: string,
) => VerificationKey | undefined | Promise<VerificationKey | undefined>

/** Exactly the members that `sign` writes (signature.ts). A JWS with others is not ours. */
const headerSchema = z.strictObject({ alg: z.string(), kid: z.string(), typ: z.string() })

/**
 * Verifies the signature of a JWS.
 *
 * @param typ The only accepted `typ` (RFC 8725 §3.11).
 * @returns The thumbprint of the key that signed it, and the payload, whose claims are not checked.
 * @throws TokenError; UnavailableError if the keys cannot be read.
 */
export async function verify(jws: string, typ: string, keys: VerificationKeys) {
  const compact = parseCompact(jws, 3)
  const header = headerSchema.safeParse(compact.header).data
  if (header === undefined) throw invalid('jws_header')
  if (header.typ !== typ) throw invalid('typ')
  const key = await keys(header.kid)
  if (key === undefined) throw invalid('jws_kid')
  if (header.alg !== key.alg) throw invalid('jws_alg')
  const [payload, signature] = compact.parts as [Buffer, Buffer]
  const input = jws.slice(0, jws.lastIndexOf('.'))
  if (!isSignature(signature, input, key.alg as SigningAlg, key.publicKey)) {
    throw invalid('signature')
  }
  const parsed = parseObject(payload)
  if (parsed === undefined) throw invalid('payload')
  return { kid: header.kid, payload: parsed }
}
