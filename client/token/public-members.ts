import type { JWK } from 'jose'

/** Of every type of public key that there is here (RFC 7518 §6, RFC 8037 §2). */
const MEMBERS = ['kty', 'crv', 'x', 'y', 'n', 'e'] as const

/** The public key in a JWK: no private member, no hint from whoever made it, nothing but strings. */
export function pickPublic(jwk: Readonly<Record<string, unknown>>): JWK {
  const found = MEMBERS.map((name) => [name, jwk[name]] as const)
  return Object.fromEntries(found.filter(([, value]) => typeof value === 'string'))
}
