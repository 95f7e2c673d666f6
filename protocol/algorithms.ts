/**
 * The algorithms that the server can be configured with, as tables: which key each one needs.
 * Neither half accepts anything else, on either layer of a token.
 */

/** What a key must be to be used with an algorithm: JWK `kty` and, where the type has one, `crv`. */
export interface KeyType {
  readonly kty: 'EC' | 'RSA' | 'OKP'
  readonly crv?: string
}

const EC = (crv: string): KeyType => ({ kty: 'EC', crv })
const RSA: KeyType = { kty: 'RSA' }

/**
 * JWS `alg` (RFC 7518 §3.1, RFC 8037 §3.1, RFC 9864 §2.2) → the key that signs with it. `EdDSA` and
 * `Ed25519` name the same computation, but a key is published for one of the two and takes no other.
 */
export const SIGNING_KEY_TYPES = {
  ES256: EC('P-256'),
  ES384: EC('P-384'),
  ES512: EC('P-521'),
  EdDSA: { kty: 'OKP', crv: 'Ed25519' },
  Ed25519: { kty: 'OKP', crv: 'Ed25519' },
  PS256: RSA,
  RS256: RSA,
} as const satisfies Record<string, KeyType>

/** The curves of ECDH-ES keys (RFC 7518 §6.2.1.1, RFC 8037 §3.2) → their key type. */
export const ENCRYPTION_CURVES = {
  'P-256': EC('P-256'),
  'P-384': EC('P-384'),
  'P-521': EC('P-521'),
  X25519: { kty: 'OKP', crv: 'X25519' },
} as const satisfies Record<string, KeyType>

export type SigningAlg = keyof typeof SIGNING_KEY_TYPES
export type EncryptionCrv = keyof typeof ENCRYPTION_CURVES
export type EncryptionAlg = (typeof ENCRYPTION_ALGS)[number]
export type EncryptionEnc = (typeof ENCRYPTION_ENCS)[number]

export const SIGNING_ALGS = Object.keys(SIGNING_KEY_TYPES) as SigningAlg[]
export const ENCRYPTION_CRVS = /* @__PURE__ */ Object.keys(ENCRYPTION_CURVES) as EncryptionCrv[]
/** JWE `alg`, key management (RFC 7518 §4.1). */
export const ENCRYPTION_ALGS = [
  'ECDH-ES+A128KW',
  'ECDH-ES+A256KW',
  'ECDH-ES',
  'RSA-OAEP-256',
] as const
/** The JWE `alg`s for a recipient's key of this `kty`. */
export const encryptionAlgsFor = (kty: unknown): EncryptionAlg[] =>
  ENCRYPTION_ALGS.filter((alg) => alg.startsWith('RSA') === (kty === 'RSA'))

/** JWE `enc`, content encryption (RFC 7518 §5.1). */
export const ENCRYPTION_ENCS = ['A128GCM', 'A256GCM', 'A128CBC-HS256', 'A256CBC-HS512'] as const

/** RSA keys below 2048 bits are not safe (NIST SP 800-131A), and jose refuses them; above 8192 they only cost time. */
export const RSA_MODULUS_BITS = { min: 2048, max: 8192, generated: 2048 } as const

/** The algorithms of one server, for its own keys and for those of its clients. */
export interface Algorithms {
  readonly signingAlg: SigningAlg
  readonly encryptionAlg: EncryptionAlg
  readonly encryptionEnc: EncryptionEnc
  /** Absent exactly when `encryptionAlg` is RSA. */
  readonly encryptionCrv?: EncryptionCrv
}

export type KeyUse = 'sig' | 'enc'

/** The key type that `algorithms` demands for a use. */
export function requiredKeyType(use: KeyUse, algorithms: Algorithms): KeyType {
  if (use === 'sig') return SIGNING_KEY_TYPES[algorithms.signingAlg]
  return algorithms.encryptionCrv === undefined ? RSA : ENCRYPTION_CURVES[algorithms.encryptionCrv]
}

/** The JWA name that `algorithms` puts to a use: the `alg` of its JWK. */
export function algorithmFor(use: KeyUse, algorithms: Algorithms): SigningAlg | EncryptionAlg {
  return use === 'sig' ? algorithms.signingAlg : algorithms.encryptionAlg
}
