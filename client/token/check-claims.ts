import {
  CLOCK_SKEW,
  type AccessTokenClaims,
  type RefreshTokenClaims,
} from '../../protocol/tokens.ts'
import { isTime, texts, type Json } from '../json.ts'
import { AuthError } from '../errors.ts'
import { invalid } from './compact.ts'

/** What a token must say to be meant for this client. */
export interface Expected {
  readonly issuer: string
  readonly clientId: string
}

/**
 * Checks the claims of a token for this client, and returns them all: those that it does not know too.
 *
 * @throws AuthError `token_invalid`
 */
export function checkClaims(payload: Json, { issuer, clientId }: Expected): RefreshTokenClaims {
  const claims = texts(payload, 'iss', 'aud', 'client_id', 'sub', 'jti', 'sid')
  if (claims?.iss !== issuer || claims.aud !== clientId) throw invalid()
  if (claims.client_id !== clientId) throw invalid()
  const { iat, exp, gen } = payload
  if (!isTime(iat) || !isTime(exp) || exp <= iat) throw invalid()
  if (gen !== undefined && !isCount(gen)) throw invalid()
  return { ...payload, ...claims, iat, exp }
}

const isCount = (value: unknown): value is number =>
  Number.isSafeInteger(value) && (value as number) > 0

/** The same for an access token, which has a scope besides. */
export function checkAccessClaims(payload: Json, expected: Expected): AccessTokenClaims {
  const { scope } = payload
  if (typeof scope !== 'string') throw invalid()
  return { ...checkClaims(payload, expected), scope }
}

/**
 * @param now Seconds since the epoch, by the server's clock.
 * @throws AuthError `token_expired`; `token_invalid` for a token from the future.
 */
export function checkTimes({ iat, exp }: RefreshTokenClaims, now: number): void {
  if (iat > now + CLOCK_SKEW) throw invalid()
  if (exp <= now) throw new AuthError('token_expired', 'The token has expired.')
}
