import {
  TOKEN_TYPES,
  type AccessTokenClaims,
  type RefreshTokenClaims,
} from '../../protocol/tokens.ts'
import type { Json } from '../json.ts'
import type { ClientKey } from '../keys/client-key.ts'
import type { VerificationKeys } from '../keys/server-keys.ts'
import { checkAccessClaims, checkClaims, type Expected } from '../token/check-claims.ts'
import { decrypt } from '../token/decrypt.ts'
import { verify } from '../token/verify.ts'

/** A token with verified signature and claims, whose expiry has not been checked. */
export interface VerifiedToken<Claims extends RefreshTokenClaims> {
  /** Signed by the server. Unless it is key-bound, anybody who has it can use it, so it stays in memory. */
  readonly jws: string
  /** The JWS's protected header. */
  readonly header: Json
  readonly claims: Claims
}

/** A token with both its layers, as the client received it. */
export interface OpenedToken<
  Claims extends RefreshTokenClaims = AccessTokenClaims,
> extends VerifiedToken<Claims> {
  /** The token as it arrived and is stored: only this client's key decrypts it. */
  readonly jwe: string
}

/** The keys and expected values to verify a token. */
export interface Verifier extends Expected {
  readonly keys: VerificationKeys
}

/** The keys and expected values to decrypt and verify a token. */
export interface Opener extends Verifier {
  readonly key: ClientKey
}

/** JWS → claims. @throws AuthError `token_invalid` */
export async function verifyAccessToken(
  jws: string,
  verifier: Verifier,
): Promise<VerifiedToken<AccessTokenClaims>> {
  const { header, payload } = await verify(jws, TOKEN_TYPES.access, verifier.keys)
  return { jws, header, claims: await checkAccessClaims(payload, verifier) }
}

/** Server to client: JWE → JWS → claims. @throws AuthError `token_invalid` */
export async function openAccessToken(jwe: string, opener: Opener): Promise<OpenedToken> {
  return { jwe, ...(await verifyAccessToken(await decrypt(jwe, opener.key, 'JWT'), opener)) }
}

/** The same for a refresh token. */
export async function openRefreshToken(
  jwe: string,
  opener: Opener,
): Promise<OpenedToken<RefreshTokenClaims>> {
  const jws = await decrypt(jwe, opener.key, 'JWT')
  const { header, payload } = await verify(jws, TOKEN_TYPES.refresh, opener.keys)
  return { jwe, jws, header, claims: await checkClaims(payload, opener) }
}
