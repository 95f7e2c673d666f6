import { compactVerify } from 'jose'
import { SIGNING_ALGS } from '../../protocol/algorithms.ts'
import { parseObject, type Json } from '../json.ts'
import { invalid, invalidByJose, parseHeader } from './compact.ts'
import type { ServerKey } from '../discovery/server-keys.ts'

/** Finds the server's signing key with this `kid`. */
export type VerificationKeys = (kid: string) => Promise<ServerKey | undefined>

export interface Verified {
  readonly header: Json
  readonly payload: Json
}

/**
 * Verifies a JWS against the server's published keys. Does not check the claims in the payload.
 *
 * @param typ The only accepted `typ` (RFC 8725 §3.11).
 * @throws AuthError `token_invalid`; `network` or `keys_too_old` if the keys are unavailable.
 */
export async function verify(jws: string, typ: string, keys: VerificationKeys): Promise<Verified> {
  const header = parseHeader(jws, 3)
  const { alg, kid, ...others } = header
  if (others['typ'] !== typ) throw invalid('typ')
  // Our server writes exactly alg, kid and typ.
  if (typeof kid !== 'string' || Object.keys(others).length > 1) throw invalid('jws_header')
  const key = await keys(kid)
  // Each key is for one algorithm (RFC 8725 §3.1).
  const algorithm = SIGNING_ALGS.find((name) => name === alg)
  if (key?.use !== 'sig' || algorithm === undefined || key.alg !== algorithm) {
    throw invalid('jws_kid')
  }
  const verified = await compactVerify(jws, key, { algorithms: [algorithm] }).catch(invalidByJose)
  const payload = parseObject(verified.payload)
  if (payload === undefined) throw invalid('payload')
  return { header, payload }
}
