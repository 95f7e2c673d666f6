import { CLOCK_SKEW, type RegisteredClaims } from '../../protocol/tokens.ts'
import { nowInSeconds, type ReadingContext } from './token-context.ts'
import { decrypt } from './decrypt.ts'
import type { Agreement } from './jwe/known-agreements.ts'
import type { TokenKind } from './claims.ts'
import { invalid, TokenError } from '../errors/token-error.ts'
import { checkProof } from './request-proof.ts'
import { verify } from './verify.ts'

export interface ValidToken<C extends RegisteredClaims> {
  readonly claims: C
  /** The JWS that the claims are from. */
  readonly jws: string
  /** The header of the outer JWE, with the binding that the sender chose. */
  readonly header: Readonly<Record<string, unknown>>
  /** For `rememberAgreement`, once the session and the binding have been checked too. */
  readonly agreement?: Agreement | undefined
}

/**
 * Client to server: decrypt → verify → claims, and the proof of a key-bound token. Anything wrong with
 * the token is a TokenError. Any other error is not about the token: the server has a fault, or its
 * keys cannot be read.
 *
 * @param needsProof Whether a key-bound token must come with the proof of its client. `false` if an
 *   authenticated service asks about somebody else's token.
 * @throws TokenError `token_expired` for a token that is right in all else, `token_invalid` for any
 *   other fault. UnavailableError if the keys cannot be read.
 */
export async function validate<C extends RegisteredClaims>(
  context: ReadingContext,
  kind: TokenKind<C>,
  token: string,
  { needsProof = true } = {},
): Promise<ValidToken<C>> {
  const { keystore, algorithms, issuer, caches } = context
  const decrypted = await decrypt(
    token,
    keystore.decryptionKey,
    [algorithms.encryptionEnc].flat(),
    { cty: 'JWT', agreements: caches?.agreements },
  )
  const { plaintext, header, agreement } = decrypted
  const { kid, claims, isKnown } = await verifiedClaims(context, kind, plaintext)
  if (claims.iss !== issuer) throw invalid('iss')
  if (kind.audience !== undefined && claims.aud !== kind.audience) throw invalid('aud')
  if (needsProof && claims.cnf !== undefined) checkProof(decrypted, claims.cnf, caches?.proofKeys)
  const now = nowInSeconds(context)
  if (claims.iat > now + CLOCK_SKEW) throw invalid('iat')
  // Last: only a token that would otherwise be good is said to have expired.
  if (claims.exp <= now) throw new TokenError('token_expired', 'exp')
  if (!isKnown) caches?.verified.remember(plaintext, { kind, kid, claims })
  return { claims, jws: plaintext, header, agreement }
}

/** The claims of a JWS of ours, which may be known from a request before. */
async function verifiedClaims<C extends RegisteredClaims>(
  { keystore: { verificationKey }, caches }: ReadingContext,
  kind: TokenKind<C>,
  jws: string,
): Promise<{ kid: string; claims: C; isKnown: boolean }> {
  const known = caches?.verified.find(jws, kind)
  // A cached token counts only while the key that signed it is still accepted.
  if (known !== undefined && (await verificationKey(known.kid)) !== undefined) {
    return { kid: known.kid, claims: known.claims, isKnown: true }
  }
  const { kid, payload } = await verify(jws, kind.typ, verificationKey)
  const claims = kind.claims.safeParse(payload).data
  if (claims === undefined) throw invalid('claims')
  return { kid, claims, isKnown: false }
}

/**
 * Remembers what a client and the server have agreed on: its next tokens will be opened faster. Call it
 * when everything about a token has been checked, its session and its binding included.
 */
export function rememberAgreement(
  { caches }: ReadingContext,
  { claims, agreement }: ValidToken<RegisteredClaims & { readonly client_id: string }>,
): void {
  if (agreement !== undefined) caches?.agreements.remember(claims.client_id, agreement)
}
