/** What both halves say about a token: its kinds and its claims. */

/** JWS `typ` of each kind of token (RFC 8725 §3.11), so that none can pass for another. */
export const TOKEN_TYPES = {
  /** RFC 9068. */
  access: 'at+jwt',
  /** RFC 6749 §1.5. */
  refresh: 'rt+jwt',
} as const

/** Seconds that the issuer's clock may be ahead of the reader's. Nothing is added to `exp`. */
export const CLOCK_SKEW = 5

/** On every token (RFC 7519 §4.1). Times are in seconds since the epoch. */
export interface RegisteredClaims {
  readonly iss: string
  readonly sub: string
  readonly aud: string
  readonly iat: number
  readonly exp: number
  readonly jti: string
}

/** Of the tokens of a session; all that a refresh token has. */
export interface RefreshTokenClaims extends RegisteredClaims {
  /** The client that it is for, which `aud` names too. */
  readonly client_id: string
  /** The session. */
  readonly sid: string
  /** The session's generation: how often the password was changed in it; absent for never. */
  readonly gen?: number | undefined
}

/** Yours to extend, together with the schema in server/token/kinds.ts. */
export interface AccessTokenClaims extends RefreshTokenClaims {
  /** RFC 6749 §3.3: words, space-separated. */
  readonly scope: string
}
