import { sha256, utf8 } from '../bytes.ts'

/** A public key (RFC 7517 §4). Which members it has depends on `kty`. */
export interface PublicJwk {
  readonly kty?: string
  readonly crv?: string
  readonly x?: string
  readonly y?: string
  readonly n?: string
  readonly e?: string
}

/**
 * The public members of all key types in use, in lexicographic order (RFC 7518 §6, RFC 8037 §2,
 * RFC 7638 §3.2).
 */
const MEMBERS = ['crv', 'e', 'kty', 'n', 'x', 'y'] as const

/** Picks a JWK's public key members. Drops private members, unknown members and non-strings. */
export function pickPublic(jwk: object): PublicJwk {
  const members = jwk as Readonly<Record<string, unknown>>
  const found = MEMBERS.map((name) => [name, members[name]] as const)
  return Object.fromEntries(found.filter(([, value]) => typeof value === 'string'))
}

/**
 * RFC 7638 SHA-256 thumbprint, base64url.
 *
 * @param jwk A public key. An incomplete key also gets a thumbprint, but shares it with no other key.
 */
export const thumbprint = (jwk: PublicJwk): Promise<string> =>
  sha256(utf8(JSON.stringify(pickPublic(jwk))))
