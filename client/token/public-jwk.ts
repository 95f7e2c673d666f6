import { base64url, type JWK } from 'jose'

/**
 * The public members of all key types in use, in lexicographic order (RFC 7518 §6, RFC 8037 §2,
 * RFC 7638 §3.2).
 */
const MEMBERS = ['crv', 'e', 'kty', 'n', 'x', 'y'] as const

/** Picks a JWK's public key members. Drops private members, unknown members and non-strings. */
export function pickPublic(jwk: Readonly<Record<string, unknown>>): JWK {
  const found = MEMBERS.map((name) => [name, jwk[name]] as const)
  return Object.fromEntries(found.filter(([, value]) => typeof value === 'string'))
}

/**
 * RFC 7638 SHA-256 thumbprint, base64url.
 *
 * @param jwk A public key. An incomplete key also gets a thumbprint, but shares it with no other key.
 */
export async function thumbprint(jwk: JWK): Promise<string> {
  const bytes = new TextEncoder().encode(JSON.stringify(pickPublic({ ...jwk })))
  return base64url.encode(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)))
}
