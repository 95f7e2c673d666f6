import { SIGNING_ALGS, type SigningAlg } from '../../protocol/algorithms.ts'
import { utf8 } from '../bytes.ts'
import { parseObject, type Json } from '../json.ts'
import type { ServerKey, VerificationKeys } from '../keys/server-keys.ts'
import { importPublicKey } from '../keys/web-crypto.ts'
import { invalid, invalidIfRefused } from '../token-error.ts'
import { parseCompact } from './compact.ts'
import type { Compact } from './jwe/open-jwe.ts'

export interface Verified {
  readonly header: Json
  readonly payload: Json
}

/** What Web Crypto needs to import a key, and to verify with it. */
interface Algorithm {
  readonly name: string
  readonly namedCurve?: string
  readonly hash?: string
  /** Bytes. */
  readonly saltLength?: number
}

/** By `alg` (RFC 7518 §3.3 to §3.5, RFC 8037 §3.1). */
const ALGORITHMS: Readonly<Record<SigningAlg, Algorithm>> = {
  ES256: { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' },
  ES384: { name: 'ECDSA', namedCurve: 'P-384', hash: 'SHA-384' },
  ES512: { name: 'ECDSA', namedCurve: 'P-521', hash: 'SHA-512' },
  EdDSA: { name: 'Ed25519' },
  Ed25519: { name: 'Ed25519' },
  PS256: { name: 'RSA-PSS', hash: 'SHA-256', saltLength: 32 },
  RS256: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
}

/**
 * Verifies a JWS against the server's published keys. Does not check the claims in the payload.
 *
 * @param typ The only accepted `typ` (RFC 8725 §3.11).
 * @throws AuthError `token_invalid`; `network` or `keys_too_old` if the keys are unavailable.
 */
export async function verify(jws: string, typ: string, keys: VerificationKeys): Promise<Verified> {
  const compact = parseCompact(jws, 3)
  const { header, parts } = compact
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
  if (!(await hasValidSignature(compact, key, ALGORITHMS[algorithm]))) throw invalid('signature')
  const payload = parseObject(parts[1] ?? '')
  if (payload === undefined) throw invalid('payload')
  return { header, payload }
}

/** Whether the signature is that of the header and the payload as they were sent (RFC 7515 §5.2). */
async function hasValidSignature(
  { segments, parts }: Compact,
  jwk: ServerKey,
  algorithm: Algorithm,
): Promise<boolean> {
  const [header = '', payload = ''] = segments
  const [, , signature = new Uint8Array()] = parts
  const key = await importPublicKey(jwk, algorithm, ['verify']).catch(invalidIfRefused('jws_kid'))
  return crypto.subtle.verify(algorithm, key, signature, utf8(`${header}.${payload}`))
}
