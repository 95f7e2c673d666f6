import { randomUUID } from 'node:crypto'
import type { RegisteredClaims } from '../../protocol/tokens.ts'
import { nowInSeconds, type TokenContext } from './token-context.ts'
import { agreeOn, seal, type Recipient } from './jwe/seal-jwe.ts'
import type { OwnClaims, TokenKind } from './claims.ts'
import { sign } from './signature.ts'

/**
 * Server to client: claims → sign → encrypt. The nested JWT of RFC 7519 §11.2 and Appendix A.2.
 *
 * @param claims Checked against the kind's schema before they are signed.
 * @param recipient Only the recipient can open the token. It is mandatory, so a bare JWS is never
 *   sent.
 * @param lifetime Seconds.
 * @param agreement Shared by several tokens to the same recipient. By default, the token has its
 *   own.
 */
export function issue<C extends RegisteredClaims>(
  context: TokenContext,
  kind: TokenKind<C>,
  claims: OwnClaims<C>,
  recipient: Recipient,
  lifetime: number,
  agreement = agreeOn(recipient),
): string {
  const iat = nowInSeconds(context)
  const complete = kind.claims.parse({
    jti: randomUUID(),
    ...claims,
    iss: context.issuer,
    iat,
    exp: iat + lifetime,
  })
  const jws = sign(complete, kind.typ, context.keystore.signingKey)
  return seal(jws, recipient, context.algorithms.encryptionEnc, { cty: 'JWT', agreement })
}
