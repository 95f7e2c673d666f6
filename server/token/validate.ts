import { CLOCK_SKEW, type RegisteredClaims } from '../../protocol/tokens.ts'
import { nowInSeconds, type ReadingContext } from './token-context.ts'
import { decrypt } from './decrypt.ts'
import type { TokenKind } from './kinds.ts'
import { invalid, TokenError } from '../errors/token-error.ts'
import { verify } from './verify.ts'

export interface ValidToken<C extends RegisteredClaims> {
  readonly claims: C
  /** The header of the outer JWE: what its sender, who held the JWS, bound it to. */
  readonly header: Readonly<Record<string, unknown>>
}

/**
 * Client to server: decrypt → verify → claims. Whatever is wrong with the token is a TokenError. Any
 * other error says nothing about the token: it is a fault of the server, or of where its keys are.
 *
 * @param audience The `aud` to insist on; by default the kind's own, if it has one.
 * @throws TokenError `token_expired` for a token that is right in all else, `token_invalid` for any
 *   other fault. KeysUnavailableError.
 */
export async function validate<C extends RegisteredClaims>(
  context: ReadingContext,
  kind: TokenKind<C>,
  token: string,
  audience = kind.audience,
): Promise<ValidToken<C>> {
  const { keystore, algorithms, issuer } = context
  const { plaintext, header } = await decrypt(
    token,
    (kid) => keystore.decryptionKey(kid),
    [algorithms.encryptionEnc].flat(),
    'JWT',
  )
  const payload = await verify(plaintext, kind.typ, (kid) => keystore.verificationKey(kid))
  const claims = kind.claims.safeParse(payload).data
  if (claims === undefined) throw invalid('claims')
  if (claims.iss !== issuer) throw invalid('iss')
  if (audience !== undefined && claims.aud !== audience) throw invalid('aud')
  const now = nowInSeconds(context)
  if (claims.iat > now + CLOCK_SKEW) throw invalid('iat')
  // Last: only a token that would otherwise be good is said to have expired.
  if (claims.exp <= now) throw new TokenError('token_expired', 'exp')
  return { claims, header }
}
