import {
  TOKEN_TYPES,
  type AccessTokenClaims,
  type RefreshTokenClaims,
} from '../../protocol/tokens.ts'
import type { ClientKey } from '../token/client-key.ts'
import { checkAccessClaims, checkClaims, type Expected } from '../token/check-claims.ts'
import { decrypt } from '../token/decrypt.ts'
import { verify, type VerificationKeys } from '../token/verify.ts'
import type { Json } from '../json.ts'

/** A token, layer by layer, verified. Whether it has expired is for whoever uses it to ask. */
export interface OpenedToken<Claims extends RefreshTokenClaims> {
  /** As it arrived, and as it is kept: for this client's key alone. */
  readonly jwe: string
  /** What was inside: signed by the server. Whoever has it can use it, so it stays in memory. */
  readonly jws: string
  /** The JWS's protected header. */
  readonly header: Json
  readonly claims: Claims
}

/** What it takes to open a token and to believe it. */
export interface Opener extends Expected {
  readonly key: ClientKey
  readonly keys: VerificationKeys
}

/**
 * Server to client: JWE → JWS → claims, every step checked.
 *
 * @throws AuthError `token_invalid`
 */
export async function openAccessToken(
  jwe: string,
  opener: Opener,
): Promise<OpenedToken<AccessTokenClaims>> {
  const jws = await decrypt(jwe, opener.key, 'JWT')
  const { header, payload } = await verify(jws, TOKEN_TYPES.access, opener.keys)
  return { jwe, jws, header, claims: checkAccessClaims(payload, opener) }
}

/** The same for a refresh token. */
export async function openRefreshToken(
  jwe: string,
  opener: Opener,
): Promise<OpenedToken<RefreshTokenClaims>> {
  const jws = await decrypt(jwe, opener.key, 'JWT')
  const { header, payload } = await verify(jws, TOKEN_TYPES.refresh, opener.keys)
  return { jwe, jws, header, claims: checkClaims(payload, opener) }
}
