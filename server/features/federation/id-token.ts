import { hash, type KeyObject } from 'node:crypto'
import { compactVerify, errors } from 'jose'
import { z } from 'zod'
import { MAX_TOKEN_LENGTH } from '../../../protocol/limits.ts'
import { parseObject } from '../../token/compact.ts'
import { isCanonicalBase64url } from '../../token/jwe/base64url.ts'
import { IdTokenRefused } from './id-token-refused.ts'

/** Bring a key or an extension from outside (OpenID Connect Core §2 advises against them, too). */
const REFUSED_PARAMETERS = ['crit', 'b64', 'zip', 'jku', 'jwk', 'x5u', 'x5c']

const headerSchema = z.looseObject({
  alg: z.string(),
  kid: z.string().min(1),
  typ: z.string().optional(),
})

/** An ID token of which nothing has been checked yet but its form. */
export interface UncheckedIdToken {
  readonly jws: string
  readonly alg: string
  readonly kid: string
  readonly claims: Readonly<Record<string, unknown>>
  /**
   * SHA-256 of what is signed, base64url: identifies the token. The signature is left out, because
   * whoever has one of ES256 can make a second one from it.
   */
  readonly id: string
}

/**
 * Reads the form of an ID token: a compact JWS (RFC 7515 §7.1) in its one spelling, with a `kid`.
 * A header may hold more, such as `x5t`, which is not read.
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
