import { z } from 'zod'
import { CLOCK_SKEW } from '../../../protocol/tokens.ts'
import { isEmailAddress } from '../../accounts/email.ts'
import { name as personName } from '../../accounts/account-fields.ts'
import { IdTokenRefused } from './id-token-refused.ts'
import type { TrustedIssuer } from './trusted-issuers.ts'

/** Seconds: how old an ID token may be that is not tied to its client by a nonce. */
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

/** What an ID token says of a person, checked. Times are in seconds. */
export interface IdTokenClaims {
  readonly issuer: TrustedIssuer
  readonly subject: string
  /** Only an address that mail can be sent to. */
  readonly email: string | undefined
  /** Whether the issuer says that the address is theirs. */
  readonly isEmailVerified: boolean
  readonly name: string | undefined
  readonly issuedAt: number
  readonly expiresAt: number
  /** When they signed in at the issuer, if it says. */
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
 * Checks the claims of an ID token whose signature holds (OpenID Connect Core §3.1.3.7).
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
  // Ties a stolen ID token to the one client that asked for it.
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
