import { base64url, type JWK } from 'jose'

/** The members that name a key, in lexicographic order (RFC 7638 §3.2, RFC 8037 §2). */
const MEMBERS = ['crv', 'e', 'kty', 'n', 'x', 'y'] as const

/**
 * RFC 7638 SHA-256 thumbprint, base64url.
 *
 * @param jwk The public members and nothing else: of these, each type has just those that count. One
 *   that lacks a member is called something, and by nobody else.
 */
export async function thumbprint(jwk: JWK): Promise<string> {
  const named = MEMBERS.flatMap((name) => (jwk[name] === undefined ? [] : [[name, jwk[name]]]))
  const bytes = new TextEncoder().encode(JSON.stringify(Object.fromEntries(named)))
  return base64url.encode(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)))
}
