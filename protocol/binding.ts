/**
 * The `req` header parameter of a JWE: the one request that a token is sealed for. Its members are
 * modelled on the claims of a DPoP proof (RFC 9449 §4.2).
 */
export interface Binding {
  readonly jti: string
  /** Seconds since the epoch. */
  readonly iat: number
  /** The HTTP method. */
  readonly htm: string
  /** The URL without query and fragment, in printable ASCII. */
  readonly htu: string
  /** SHA-256 of the body, base64url; absent without a body. */
  readonly dig?: string | undefined
  /** The proof of a key-bound token: see request-proof.ts. */
  readonly mac?: string | undefined
  /** In a sealed body: SHA-256 of the access token's JWS, base64url; absent without a token. */
  readonly ath?: string | undefined
}

/** Seconds that the sender's clock may be off. */
export const BINDING_TOLERANCE = 60
