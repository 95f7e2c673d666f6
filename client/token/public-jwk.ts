import { base64url, type JWK } from 'jose'

/**
 * The public members of every key type that is used here, in lexicographic order
 * (RFC 7518 §6, RFC 8037 §2, RFC 7638 §3.2).
 */
const MEMBERS = ['crv', 'e', 'kty', 'n', 'x', 'y'] as const

/** The public key in a JWK: no private member, nothing that its sender added, only strings. */
export function pickPublic(jwk: Readonly<Record<string, unknown>>): JWK {
  const found = MEMBERS.map((name) => [name, jwk[name]] as const)
  return Object.fromEntries(found.filter(([, value]) => typeof value === 'string'))
}

/**
 * RFC 7638 SHA-256 thumbprint, base64url.
 *
 * @param jwk A public key. A key that lacks a member gets a name too, but no other key has that name.
 */
export async function thumbprint(jwk: JWK): Promise<string> {
  const bytes = new TextEncoder().encode(JSON.stringify(pickPublic({ ...jwk })))
  return base64url.encode(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)))
}
