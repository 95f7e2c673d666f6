/**
 * Why a token is refused. A client learns only whether it has expired; `reason` is a fixed word for
 * the log, never a part of the token and never the message of a library, which may quote claims.
 */
export class TokenError extends Error {
  readonly code: 'token_invalid' | 'token_expired'
  readonly reason: string

  constructor(code: TokenError['code'], reason: string) {
    super(code)
    this.name = 'TokenError'
    this.code = code
    this.reason = reason
  }
}

export const invalid = (reason: string): TokenError => new TokenError('token_invalid', reason)
