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

/**
 * The keys to check a token with cannot be had just now: nothing is known of the token. `message`
 * says why, for the log.
 */
export class KeysUnavailableError extends Error {
  override readonly name = 'KeysUnavailableError'
  /** Seconds after which it is worth trying again. */
  readonly retryAfter: number

  constructor(message: string, retryAfter: number) {
    super(message)
    this.retryAfter = retryAfter
  }
}
