import { errors } from 'jose'

/** Why a token is refused, in a word for the log. */
export type TokenReason =
  // The form of either layer, before any cryptography.
  | ('too_long' | 'segments' | 'base64url' | 'header' | 'header_parameter')
  // The outer JWE.
  | ('jwe_header' | 'cty' | 'jwe_kid' | 'jwe_alg' | 'jwe_enc' | 'epk' | 'decryption' | 'plaintext')
  // The inner JWS.
  | ('jws_header' | 'typ' | 'jws_kid' | 'jws_alg' | 'signature' | 'payload')
  // The claims, and the session that they name.
  | ('claims' | 'iss' | 'aud' | 'iat' | 'exp' | 'session')
  // The request that the token is bound to.
  | ('req_missing' | 'req' | 'req_iat' | 'req_before_start' | 'req_htm' | 'req_htu' | 'req_dig')
  | 'req_replayed'

/**
 * A token that is refused. A client learns only whether it has expired. `reason` is never a part of
 * the token and never the message of a library, which may quote claims.
 */
export class TokenError extends Error {
  readonly code: 'token_invalid' | 'token_expired'
  readonly reason: TokenReason

  constructor(code: TokenError['code'], reason: TokenReason) {
    super(code)
    this.name = 'TokenError'
    this.code = code
    this.reason = reason
  }
}

export const invalid = (reason: TokenReason): TokenError => new TokenError('token_invalid', reason)

/**
 * For the `catch` of a call to jose: what it finds wrong with a token is a refusal. Anything else is
 * a fault of ours and passes through.
 */
export function refusedByJose(error: unknown, reason: TokenReason): never {
  throw error instanceof errors.JOSEError ? invalid(reason) : error
}

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
