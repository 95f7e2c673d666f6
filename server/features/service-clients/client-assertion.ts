import { compactVerify, errors } from 'jose'
import { z } from 'zod'
import { CLOCK_SKEW } from '../../../protocol/tokens.ts'
import { TokenError } from '../../errors/token-error.ts'
import { parseCompact, parseObject } from '../../token/compact.ts'
import { AssertionRefused } from './assertion-refused.ts'
import type { ServiceClient } from './service-clients.ts'
import { toPublicKey } from './service-keys.ts'

/** Seconds: how far ahead `exp` may be. */
export const MAX_LIFETIME = 300

/** What an assertion may call itself, if it does: draft-ietf-oauth-rfc7523bis asks for the second. */
const TYPES = ['JWT', 'client-authentication+jwt']

const headerSchema = z.object({ alg: z.string(), typ: z.string().optional() })
const claimsSchema = z.object({
  iss: z.string(),
  sub: z.string(),
  // One text: a list could hold another server, which could then send the assertion on to this one.
  aud: z.string(),
  jti: z.string().min(1),
  exp: z.number(),
  nbf: z.number().optional(),
  iat: z.number().optional(),
})

export type AssertionClaims = z.infer<typeof claimsSchema>

/** A client assertion of which only the form has been checked. */
export interface UncheckedAssertion {
  readonly jws: string
  readonly alg: string
  readonly claims: AssertionClaims
}

/**
 * Parses a client assertion (RFC 7523 §3): a compact JWS in canonical base64url.
 *
 * @throws AssertionRefused
 */
export function readAssertion(jws: string): UncheckedAssertion {
  const header = headerSchema.safeParse(parse(() => parseCompact(jws, 3).header)).data
  if (header === undefined) throw new AssertionRefused('form')
  if (header.typ !== undefined && !TYPES.includes(header.typ)) throw new AssertionRefused('typ')
  const payload = parseObject(Buffer.from(jws.split('.')[1] ?? '', 'base64url'))
  const claims = claimsSchema.safeParse(payload).data
  if (claims === undefined) throw new AssertionRefused('claims')
  return { jws, alg: header.alg, claims }
}

/**
 * Checks that an assertion was made by `client`, for this server, and is good now. Whether it was used
 * before is for used-assertions.ts.
 *
 * @param issuer The one audience (draft-ietf-oauth-rfc7523bis §4): not the URL of an endpoint, which
 *   another server might publish as its own.
 * @param now Seconds since the epoch.
 * @throws AssertionRefused
 */
export async function checkAssertion(
  { jws, alg, claims }: UncheckedAssertion,
  { id, signingKey }: ServiceClient,
  issuer: string,
  now: number,
): Promise<void> {
  if (alg !== signingKey.alg) throw new AssertionRefused('alg')
  try {
    await compactVerify(jws, toPublicKey(signingKey), { algorithms: [signingKey.alg] })
  } catch (error) {
    throw error instanceof errors.JOSEError ? new AssertionRefused('signature') : error
  }
  const { iss, sub, aud, exp, nbf = 0, iat = 0 } = claims
  if (iss !== id) throw new AssertionRefused('iss')
  if (sub !== id) throw new AssertionRefused('sub')
  if (aud !== issuer) throw new AssertionRefused('aud')
  if (exp <= now || exp > now + MAX_LIFETIME) throw new AssertionRefused('exp')
  if (nbf > now + CLOCK_SKEW) throw new AssertionRefused('nbf')
  if (iat > now + CLOCK_SKEW) throw new AssertionRefused('iat')
}

/** The reader of our own tokens is strict enough for those of others. */
function parse<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw error instanceof TokenError ? new AssertionRefused('form') : error
  }
}
