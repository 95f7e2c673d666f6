/**
 * Tables of the supported algorithms and the key type that each needs. Neither server nor client
 * accepts any other algorithm, on either layer of a token.
 */

/** The key type that an algorithm needs: JWK `kty` and, if the type has curves, `crv`. */
export interface KeyType {
  readonly kty: 'EC' | 'RSA' | 'OKP'
  readonly crv?: string
}

const EC = (crv: string): KeyType => ({ kty: 'EC', crv })
const RSA: KeyType = { kty: 'RSA' }

/**
 * JWS `alg` (RFC 7518 §3.1, RFC 8037 §3.1, RFC 9864 §2.2) → its key type. `EdDSA` and `Ed25519` name the
 * same computation, but each key is published for one of the two and works with that one only.
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

/** Each `alg` that wraps the content encryption key with an agreed key → that key's bytes (RFC 7518 §4.6). */
export const WRAPPING_KEY_LENGTH = {
  'ECDH-ES+A128KW': 16,
  'ECDH-ES+A256KW': 32,
} as const

export type WrappingAlg = keyof typeof WRAPPING_KEY_LENGTH

/** Whether an `alg` wraps: only then can one agreement serve several JWEs. */
export const isWrapping = (alg: EncryptionAlg): alg is WrappingAlg =>
  Object.hasOwn(WRAPPING_KEY_LENGTH, alg)

/** JWE `enc`, content encryption (RFC 7518 §5.1). */
export const ENCRYPTION_ENCS = ['A128GCM', 'A256GCM', 'A128CBC-HS256', 'A256CBC-HS512'] as const

/** RSA keys below 2048 bits are unsafe (NIST SP 800-131A) and refused by jose. Above 8192 bits they are only slow. */
export const RSA_MODULUS_BITS = { min: 2048, max: 8192, generated: 2048 } as const

/** The algorithms of one server, for its own keys and its clients' keys. */
export interface Algorithms {
  readonly signingAlg: SigningAlg
  readonly encryptionAlg: EncryptionAlg
  readonly encryptionEnc: EncryptionEnc
  /** Absent if and only if `encryptionAlg` is RSA. */
  readonly encryptionCrv?: EncryptionCrv
}

export type KeyUse = 'sig' | 'enc'

/** The key type that `algorithms` requires for a use. */
export function requiredKeyType(use: KeyUse, algorithms: Algorithms): KeyType {
  if (use === 'sig') return SIGNING_KEY_TYPES[algorithms.signingAlg]
  return algorithms.encryptionCrv === undefined ? RSA : ENCRYPTION_CURVES[algorithms.encryptionCrv]
}

/** The algorithm for a use: the `alg` of its JWK. */
export function algorithmFor(use: KeyUse, algorithms: Algorithms): SigningAlg | EncryptionAlg {
  return use === 'sig' ? algorithms.signingAlg : algorithms.encryptionAlg
}
