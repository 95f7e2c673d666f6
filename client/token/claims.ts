import { isTime, texts, type Json } from '../json.ts'
import { AuthError } from '../errors.ts'
import { invalid } from './compact.ts'

/** Of every token of a session (RFC 7519 §4.1). Times are in seconds since the epoch. */
export interface RefreshTokenClaims {
  readonly iss: string
  readonly sub: string
  readonly aud: string
  readonly client_id: string
  readonly iat: number
  readonly exp: number
  readonly jti: string
  /** The session. */
  readonly sid: string
  /** How often the password was changed in it; absent for never. */
  readonly gen?: number
}

/** RFC 9068. */
export interface AccessTokenClaims extends RefreshTokenClaims {
  readonly scope: string
}

/** What a token must say to be meant for this client. */
export interface Expected {
  readonly issuer: string
  readonly clientId: string
}

/** @throws AuthError `token_invalid` for claims that are not those of a token for this client. */
export function checkClaims(payload: Json, { issuer, clientId }: Expected): RefreshTokenClaims {
  const claims = texts(payload, 'iss', 'aud', 'client_id', 'sub', 'jti', 'sid')
  if (claims?.iss !== issuer || claims.aud !== clientId) throw invalid()
  if (claims.client_id !== clientId) throw invalid()
  const { iat, exp, gen } = payload
  if (!isTime(iat) || !isTime(exp) || exp <= iat) throw invalid()
  if (gen === undefined) return { ...claims, iat, exp }
  if (!isCount(gen)) throw invalid()
  return { ...claims, iat, exp, gen }
}

const isCount = (value: unknown): value is number =>
  Number.isSafeInteger(value) && (value as number) > 0

/** The claims of an access token: those of every token, and a scope. */
export function checkAccessClaims(payload: Json, expected: Expected): AccessTokenClaims {
  const claims = checkClaims(payload, expected)
  const { scope } = payload
  if (typeof scope !== 'string') throw invalid()
  return { ...claims, scope }
}

/** Seconds that two clocks may differ. Nothing is added to `exp`. */
const CLOCK_SKEW = 5

/**
 * @param now Seconds since the epoch, by the server's clock.
 * @throws AuthError `token_expired`; `token_invalid` for a token from the future.
 */
export function checkTimes({ iat, exp }: RefreshTokenClaims, now: number): void {
  if (iat > now + CLOCK_SKEW) throw invalid()
  if (exp <= now) throw new AuthError('token_expired', 'The token has expired.')
}
