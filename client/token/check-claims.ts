import {
  CLOCK_SKEW,
  type AccessTokenClaims,
  type RefreshTokenClaims,
} from '../../protocol/tokens.ts'
import { isTime, texts, type Json } from '../json.ts'
import { AuthError } from '../errors.ts'
import { invalid } from './refusal.ts'

/** The values that a token for this client must have. */
export interface Expected {
  readonly issuer: string
  readonly clientId: string
}

/**
 * Checks the claims that the client uses, and returns all claims of the token.
 *
 * @throws AuthError `token_invalid`
 */
export function checkClaims(payload: Json, { issuer, clientId }: Expected): RefreshTokenClaims {
  const claims = texts(payload, 'iss', 'aud', 'client_id', 'sub', 'jti', 'sid')
  if (claims?.iss !== issuer) throw invalid('iss')
  if (claims.aud !== clientId || claims.client_id !== clientId) throw invalid('aud')
  const { iat, exp, gen } = payload
  if (!isTime(iat) || !isTime(exp) || exp <= iat) throw invalid('claims')
  if (gen !== undefined && !isCount(gen)) throw invalid('claims')
  return payload as unknown as RefreshTokenClaims
}

const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) > 0

/** As `checkClaims`, for an access token, which also has a scope. */
export function checkAccessClaims(payload: Json, expected: Expected): AccessTokenClaims {
  if (typeof payload['scope'] !== 'string') throw invalid('claims')
  return checkClaims(payload, expected) as AccessTokenClaims
}

/**
 * Checks that a token is current.
 *
 * @param now Seconds since the epoch, by the server's clock.
 * @throws AuthError `token_expired`; `token_invalid` for a token from the future.
 */
export function checkTimes({ iat, exp }: RefreshTokenClaims, now: number): void {
  if (iat > now + CLOCK_SKEW) throw invalid('iat')
  if (exp <= now) throw new AuthError('token_expired', 'The token has expired.')
}
