import { UnavailableError } from './unavailable-error.ts'

/** Why a token is refused: one word, for the log. */
export type TokenReason =
  // The form of either layer, checked before any cryptography.
  | ('too_long' | 'segments' | 'base64url' | 'header' | 'header_parameter')
  // The outer JWE.
  | ('jwe_header' | 'cty' | 'jwe_kid' | 'jwe_alg' | 'jwe_enc' | 'epk' | 'decryption' | 'plaintext')
  // The inner JWS.
  | ('jws_header' | 'typ' | 'jws_kid' | 'jws_alg' | 'signature' | 'payload')
  // The claims and the session that they name.
  | ('claims' | 'iss' | 'aud' | 'iat' | 'exp' | 'session')
  // The request that the token is bound to.
  | ('req_missing' | 'req' | 'req_iat' | 'req_before_start' | 'req_htm' | 'req_htu' | 'req_dig')
  | 'req_replayed'
  // The proof of a key-bound token: missing or malformed, wrong, or impossible with the client's key.
  | ('proof_missing' | 'proof' | 'cnf')
  // A token that is not key-bound, at a service that insists on it.
  | 'cnf_missing'

/**
 * Refuses a token. The client learns only whether the token has expired. `reason` never contains a
 * part of the token, nor the message of a library, which may quote claims.
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

/**
 * Whether a refused token stays refused. One from the future shows that this server's clock was set
 * back. One that was bound before the server started may have waited in a proxy.
 */
export const isFinal = ({ reason }: TokenError): boolean =>
  reason !== 'iat' && reason !== 'req_before_start'

/** For a token that is refused now, and may be accepted if it is sent again. */
export const undecided = (): UnavailableError => new UnavailableError('the token may be valid', 1)

export const invalid = (reason: TokenReason): TokenError => new TokenError('token_invalid', reason)
