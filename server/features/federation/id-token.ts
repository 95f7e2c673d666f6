import { hash, type KeyObject } from 'node:crypto'
import { compactVerify, errors } from 'jose'
import { z } from 'zod'
import { MAX_TOKEN_LENGTH } from '../../../protocol/limits.ts'
import { parseObject } from '../../token/compact.ts'
import { isCanonicalBase64url } from '../../token/jwe/base64url.ts'
import { IdTokenRefused } from './id-token-refused.ts'

/** They let the sender supply a key or an extension. OpenID Connect Core §2 advises against them too. */
const REFUSED_PARAMETERS = ['crit', 'b64', 'zip', 'jku', 'jwk', 'x5u', 'x5c']

const headerSchema = z.looseObject({
  alg: z.string(),
  kid: z.string().min(1),
  typ: z.string().optional(),
})

/** An ID token of which only the form has been checked. */
export interface UncheckedIdToken {
  readonly jws: string
  readonly alg: string
  readonly kid: string
  readonly claims: Readonly<Record<string, unknown>>
  /**
   * Identifies the token: SHA-256 of the signed part, base64url. It excludes the signature, because
   * anybody can derive a second valid signature from one of ES256.
   */
  readonly id: string
}

/**
 * Parses an ID token: a compact JWS (RFC 7515 §7.1) in canonical base64url, with a `kid`. Ignores other
 * header parameters, such as `x5t`.
 *
 * @throws IdTokenRefused
 */
export function readIdToken(jws: string): UncheckedIdToken {
  const segments = jws.split('.', 4)
  const [header = '', payload = ''] = segments
  if (jws.length > MAX_TOKEN_LENGTH || segments.length !== 3) throw new IdTokenRefused('form')
  if (!segments.every(isCanonicalBase64url)) throw new IdTokenRefused('form')
  const members = parseObject(Buffer.from(header, 'base64url'))
  const described = headerSchema.safeParse(members).data
  if (described === undefined) throw new IdTokenRefused('header')
  if (REFUSED_PARAMETERS.some((name) => Object.hasOwn(described, name))) {
    throw new IdTokenRefused('header_parameter')
  }
  const { alg, kid, typ = 'JWT' } = described
  if (typ !== 'JWT') throw new IdTokenRefused('typ')
  const claims = parseObject(Buffer.from(payload, 'base64url'))
  if (claims === undefined) throw new IdTokenRefused('claims')
  return { jws, alg, kid, claims, id: hash('sha256', `${header}.${payload}`, 'base64url') }
}

/** @throws IdTokenRefused */
export async function verifySignature(
  { jws, alg }: UncheckedIdToken,
  key: KeyObject,
): Promise<void> {
  try {
    await compactVerify(jws, key, { algorithms: [alg] })
  } catch (error) {
    throw error instanceof errors.JOSEError ? new IdTokenRefused('signature') : error
  }
}
