import { randomUUID } from 'node:crypto'
import { CompactSign } from 'jose'
import type { KeyPair } from '../keystore/key-pair.ts'
import type { RegisteredClaims } from '../../protocol/tokens.ts'
import { nowInSeconds, type TokenContext } from './token-context.ts'
import { agreeOn, seal, type Recipient } from './jwe/seal-jwe.ts'
import type { OwnClaims, TokenKind } from './kinds.ts'

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
export async function issue<C extends RegisteredClaims>(
  context: TokenContext,
  kind: TokenKind<C>,
  claims: OwnClaims<C>,
  recipient: Recipient,
  lifetime: number,
  agreement = agreeOn(recipient),
): Promise<string> {
  const iat = nowInSeconds(context)
  const complete = kind.claims.parse({
    jti: randomUUID(),
    ...claims,
    iss: context.issuer,
    iat,
    exp: iat + lifetime,
  })
  const jws = await sign(complete, kind.typ, context.keystore.signingKey)
  return seal(jws, recipient, context.algorithms.encryptionEnc, { cty: 'JWT', agreement })
}

/**
 * Signs claims: a JWS in compact form (RFC 7515 §7.1) with `alg`, `kid` and `typ` in its header.
 * It is never sent on its own.
 */
export async function sign(claims: object, typ: string, key: KeyPair): Promise<string> {
  return new CompactSign(new TextEncoder().encode(JSON.stringify(claims)))
    .setProtectedHeader({ alg: key.alg, kid: key.kid, typ })
    .sign(key.privateKey)
}
