/** What this library itself finds wrong; an error of the server comes through with the server's own code. */
export type ClientErrorCode =
  /** The server's address is neither https nor this machine. */
  | 'insecure_server'
  /** The server could not be reached, or somebody else answered. What was kept is kept: try again later. */
  | 'network'
  /** An answer is not what the contract says. */
  | 'bad_answer'
  /** The server calls itself by another name than the one it was expected under. */
  | 'issuer_mismatch'
  /** The server is away, and its keys in the cache are too old to believe. */
  | 'keys_too_old'
  /** A token is damaged, forged, or meant for somebody else. */
  | 'token_invalid'
  | 'token_expired'
  | 'not_signed_in'
  /** The session has ended, here or elsewhere: show the sign-in. */
  | 'session_ended'
  /** A token would have gone to somebody who is not on the list. */
  | 'origin_not_allowed'
  /** Keys or sessions cannot be kept where they should be. */
  | 'store_failed'
  /** A record of the vault was made under another key, or changed. */
  | 'vault_damaged'
  | 'weak_password'

interface AuthErrorOptions extends ErrorOptions {
  readonly status?: number | undefined
  readonly retryAfter?: number | undefined
  readonly requestId?: string | undefined
}

/** Everything that this library throws on purpose. Match on `code`; it never changes. */
export class AuthError extends Error {
  override readonly name = 'AuthError'
  /** A ClientErrorCode, or the `error` of the server's answer. */
  readonly code: ClientErrorCode | (string & {})
  /** The HTTP status, where a server answered. */
  readonly status: number | undefined
  /** Seconds to wait before trying again, where the server named them. */
  readonly retryAfter: number | undefined
  /** Names the request in the server's log. */
  readonly requestId: string | undefined

  constructor(code: AuthError['code'], message: string, options: AuthErrorOptions = {}) {
    super(message, options)
    this.code = code
    this.status = options.status
    this.retryAfter = options.retryAfter
    this.requestId = options.requestId
  }
}

/** Whether something thrown is an AuthError with this code. */
export const hasCode = (error: unknown, code: string): boolean =>
  error instanceof AuthError && error.code === code

/** @param cause Why a session that is kept here cannot be opened. */
export const notSignedIn = (cause?: unknown): AuthError =>
  new AuthError('not_signed_in', 'Nobody is signed in.', { cause })

/** Whoever sees it shows the sign-in. */
export const sessionEnded = (cause?: unknown): AuthError =>
  new AuthError('session_ended', 'The session has ended.', { cause })

/** For `catch`: throws another error in place of one with this code. Any other stays what it is. */
export const inPlaceOf =
  (code: string, other: (cause: unknown) => AuthError) =>
  (cause: unknown): never => {
    throw hasCode(cause, code) ? other(cause) : cause
  }
