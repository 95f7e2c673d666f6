import {
  CLOCK_SKEW,
  type AccessTokenClaims,
  type RefreshTokenClaims,
} from '../../protocol/tokens.ts'
import { AuthError } from '../errors.ts'
import { isObject, isTime, texts, type Json } from '../json.ts'
import { thumbprint } from '../keys/public-jwk.ts'
import { invalid } from '../token-error.ts'

/** The values that a token for this client must have. */
export interface Expected {
  readonly issuer: string
  readonly clientId: string
  /** Whether it must be key-bound, or must not. By default it may be. */
  readonly isKeyBound?: boolean | undefined
}

/**
 * Checks the claims that the client uses, and returns all claims of the token.
 *
 * @throws AuthError `token_invalid`
 */
export async function checkClaims(
  payload: Json,
  { issuer, clientId, isKeyBound }: Expected,
): Promise<RefreshTokenClaims> {
  const claims = texts(payload, 'iss', 'aud', 'client_id', 'sub', 'jti', 'sid')
  if (claims?.iss !== issuer) throw invalid('iss')
  if (claims.aud !== clientId || claims.client_id !== clientId) throw invalid('aud')
  const { iat, exp, gen, cnf } = payload
  if (!isTime(iat) || !isTime(exp) || exp <= iat) throw invalid('claims')
  if (gen !== undefined && !isCount(gen)) throw invalid('claims')
  if (isKeyBound !== undefined && isKeyBound !== (cnf !== undefined)) throw invalid('cnf')
  if (cnf !== undefined && (await confirmedKey(cnf)) !== clientId) throw invalid('cnf')
  return payload as unknown as RefreshTokenClaims
}

/** The thumbprint of the key in a `cnf` claim (RFC 7800 §3.2). */
async function confirmedKey(cnf: unknown): Promise<string | undefined> {
  const jwk = isObject(cnf) ? cnf['jwk'] : undefined
  return isObject(jwk) ? thumbprint(jwk) : undefined
}

const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) > 0

/** As `checkClaims`, for an access token, which also has a scope. */
export async function checkAccessClaims(
  payload: Json,
  expected: Expected,
): Promise<AccessTokenClaims> {
  if (typeof payload['scope'] !== 'string') throw invalid('claims')
  return (await checkClaims(payload, expected)) as AccessTokenClaims
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
