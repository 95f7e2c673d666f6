/** The kinds of tokens and their claims, shared by server and client. */

/** The JWS `typ` of each kind of token (RFC 8725 §3.11), so that no kind can pass for another. */
export const TOKEN_TYPES = {
  /** RFC 9068. */
  access: 'at+jwt',
  /** RFC 6749 §1.5. */
  refresh: 'rt+jwt',
} as const

/** Seconds that the issuer's clock may be ahead of the reader's. Nothing is added to `exp`. */
export const CLOCK_SKEW = 5

/** The claims of every token (RFC 7519 §4.1). Times are in seconds since the epoch. */
export interface RegisteredClaims {
  readonly iss: string
  readonly sub: string
  readonly aud: string
  readonly iat: number
  readonly exp: number
  readonly jti: string
  /** Only on key-bound tokens. */
  readonly cnf?: Confirmation | undefined
}

/** Whose token it is (RFC 7800 §3.2): the sender proves that it holds this key's private half. */
export interface Confirmation {
  /** The public encryption key of the client. Its thumbprint is the token's `client_id`. */
  readonly jwk: ConfirmationKey
}

/** The required public members of an EC or OKP key (RFC 7518 §6.2.1, RFC 8037 §2). */
export interface ConfirmationKey {
  readonly kty: string
  readonly crv: string
  readonly x: string
  readonly y?: string | undefined
}

/** The claims of every session token. A refresh token has no others. */
export interface RefreshTokenClaims extends RegisteredClaims {
  /** The client that the token is for, the same as `aud`. */
  readonly client_id: string
  /** The session's id. */
  readonly sid: string
  /** The session's generation: the number of password changes in it; absent for none. */
  readonly gen?: number | undefined
}

/**
 * The claims of a service token: the access token of a program of the operator's, which is in no
 * session. It is always key-bound.
 */
export interface ServiceTokenClaims extends RegisteredClaims {
  /** The service client, the same as `sub` and `aud`. */
  readonly client_id: string
  /** Space-separated words (RFC 6749 §3.3). */
  readonly scope: string
  readonly cnf: Confirmation
  readonly sid?: undefined
}

/** The claims of an access token. Yours to extend, together with the schema in server/token/claims.ts. */
export interface AccessTokenClaims extends RefreshTokenClaims {
  /** Space-separated words (RFC 6749 §3.3). */
  readonly scope: string
}
