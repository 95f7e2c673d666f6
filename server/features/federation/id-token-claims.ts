import { z } from 'zod'
import { CLOCK_SKEW } from '../../../protocol/tokens.ts'
import { isEmailAddress } from '../../accounts/email.ts'
import { name as personName } from '../../accounts/account-fields.ts'
import { IdTokenRefused } from './id-token-refused.ts'
import type { TrustedIssuer } from './trusted-issuers.ts'

/** Seconds: the maximum age of an ID token without a nonce that ties it to its client. */
const MAX_AGE_WITHOUT_NONCE = 600

/** NumericDate (RFC 7519 §2), up to the year 9999. */
const time = z.number().nonnegative().max(253_402_300_799)
const text = z.string().min(1)

/** OpenID Connect Core §2. */
const claimsSchema = z.looseObject({
  iss: text,
  sub: text.max(255),
  aud: z.union([text, z.array(text).min(1)]),
  azp: z.string().optional(),
  exp: time,
  iat: time,
  nbf: time.optional(),
  auth_time: time.optional(),
  nonce: z.string().optional(),
})

/** The checked claims of an ID token. Times are in seconds. */
export interface IdTokenClaims {
  readonly issuer: TrustedIssuer
  readonly subject: string
  /** `undefined` unless it is a valid address. */
  readonly email: string | undefined
  /** Whether the issuer has verified the address. */
  readonly isEmailVerified: boolean
  readonly name: string | undefined
  readonly issuedAt: number
  readonly expiresAt: number
  /** When the person signed in at the issuer, if it says so. */
  readonly authTime: number | undefined
}

interface Expected {
  readonly issuer: TrustedIssuer
  /** The client that presents the token. */
  readonly clientId: string
  /** Seconds since the epoch. */
  readonly now: number
}

/**
 * Checks the claims of an ID token, after its signature (OpenID Connect Core §3.1.3.7).
 *
 * @throws IdTokenRefused
 */
export function checkIdTokenClaims(
  payload: Readonly<Record<string, unknown>>,
  { issuer, clientId, now }: Expected,
): IdTokenClaims {
  const claims = claimsSchema.safeParse(payload).data
  if (claims === undefined) throw new IdTokenRefused('claims')
  const { audiences, nonce } = issuer
  if (claims.iss !== issuer.issuer) throw new IdTokenRefused('iss')
  const aud = [claims.aud].flat()
  if (!aud.every((each) => audiences.includes(each))) throw new IdTokenRefused('aud')
  if (aud.length > 1 && !audiences.includes(claims.azp ?? '')) throw new IdTokenRefused('azp')
  if (claims.exp <= now) throw new IdTokenRefused('exp')
  if ((claims.nbf ?? 0) > now + CLOCK_SKEW) throw new IdTokenRefused('nbf')
  const isTooOld = nonce === 'any' && claims.iat < now - MAX_AGE_WITHOUT_NONCE
  if (claims.iat > now + CLOCK_SKEW || isTooOld) throw new IdTokenRefused('iat')
  // Makes a stolen ID token useless to any client but the one that requested it.
  if (nonce === 'client_id' && claims.nonce !== clientId) throw new IdTokenRefused('nonce')
  const { email, email_verified, name } = claims
  return {
    issuer,
    subject: claims.sub,
    email: typeof email === 'string' && isEmailAddress(email) ? email : undefined,
    isEmailVerified: email_verified === true,
    name: personName.safeParse(name).data,
    issuedAt: claims.iat,
    expiresAt: claims.exp,
    authTime: claims.auth_time,
  }
}
