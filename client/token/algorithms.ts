/** What this client accepts, exactly. A key is used with the algorithms of its own type and no other. */

/** JWK `kty` and, where the type has one, `crv`: what the metadata asks of a client's key. */
export interface KeyType {
  readonly kty: 'EC' | 'OKP' | 'RSA'
  readonly crv?: string
}

/** JWS `alg` (RFC 7518 §3.1, RFC 8037 §3.1, RFC 9864 §2.2). */
export const SIGNING_ALGS = ['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519', 'PS256', 'RS256']

const ECDH_ALGS = ['ECDH-ES+A128KW', 'ECDH-ES+A256KW', 'ECDH-ES']
const RSA_ALGS = ['RSA-OAEP-256']
/** JWE `alg`, key management (RFC 7518 §4.1), for a key of a type. */
export const encryptionAlgsFor = (kty: unknown): readonly string[] =>
  kty === 'RSA' ? RSA_ALGS : ECDH_ALGS

/** JWE `enc`, content encryption (RFC 7518 §5.1). */
export const CONTENT_ENCRYPTIONS = ['A128GCM', 'A256GCM', 'A128CBC-HS256', 'A256CBC-HS512']

const CURVES: readonly unknown[] = ['P-256', 'P-384', 'P-521', 'X25519']

/** The key type that a metadata document asks for, or `undefined` for one that this client cannot make. */
export function keyTypeOf(kty: unknown, crv: unknown): KeyType | undefined {
  if (kty === 'RSA') return { kty }
  if ((kty !== 'EC' && kty !== 'OKP') || !CURVES.includes(crv)) return undefined
  return { kty, crv: crv as string }
}
