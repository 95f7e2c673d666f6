/**
 * The `req` header parameter of a JWE: the one request that a token was sealed for, after the claims
 * of a DPoP proof (RFC 9449 §4.2).
 */
export interface Binding {
  readonly jti: string
  /** Seconds since the epoch. */
  readonly iat: number
  /** The method. */
  readonly htm: string
  /** The URL, without query and fragment: printable ASCII. */
  readonly htu: string
  /** SHA-256 of the body's bytes, base64url; absent without a body. */
  readonly dig?: string | undefined
}

/** Seconds that the sender's clock may be off. */
export const BINDING_TOLERANCE = 60
