/** The codes of errors that this library finds itself. Errors from the server keep the server's code. */
export type ClientErrorCode =
  /** The server's address uses plain http to another machine, or is not a URL. */
  | 'insecure_server'
  /**
   * The server could not be reached, or something else answered. Try again later. Nothing is lost, with
   * two exceptions: see docs/client.md.
   */
  | 'network'
  /** An answer does not follow the contract. */
  | 'bad_answer'
  /** The client must seal, and the server does not offer it, or the body is not JSON. Nothing was sent. */
  | 'sealing_not_offered'
  /** The server gives the key to the vault only to clients that seal: see the option `sealedBodies`. */
  | 'sealing_required'
  /** The client must have key-bound tokens, and the server does not offer them. Nothing was registered. */
  | 'key_binding_not_offered'
  /** A plain answer came in place of a sealed one. Somebody on the way may have read or made it. */
  | 'answer_not_sealed'
  /** A sealed answer is not the server's answer to this request. */
  | 'answer_invalid'
  /** The server's metadata names an unexpected issuer. */
  | 'issuer_mismatch'
  /** A current key of the server, or what somebody on the way passes off as one, is not pinned. It is not used. */
  | 'key_not_pinned'
  /** The server is unreachable, and its cached keys are too old to trust. */
  | 'keys_too_old'
  /** A token is damaged, forged, or meant for somebody else. */
  | 'token_invalid'
  | 'token_expired'
  | 'not_signed_in'
  /** The session has ended, here or elsewhere: show the sign-in. */
  | 'session_ended'
  /** The request's URL is neither the server's nor one of the listed services'. */
  | 'origin_not_allowed'
  /** Keys or sessions cannot be read or stored. */
  | 'store_failed'
  /** This browser cannot make or keep a key of the type that the server asks for. */
  | 'key_not_supported'
  /** A record of the vault was written under another key, or was changed. */
  | 'vault_damaged'
  /** `derivePassword` refuses a new password. The server's own refusal is `invalid_request`. */
  | 'weak_password'

interface AuthErrorOptions extends ErrorOptions {
  readonly status?: number | undefined
  readonly retryAfter?: number | undefined
  readonly requestId?: string | undefined
}

/** Every error that this library throws on purpose. Match on `code`, which never changes. */
export class AuthError extends Error {
  override readonly name = 'AuthError'
  /** A ClientErrorCode, or the `error` of the server's answer. */
  readonly code: ClientErrorCode | (string & {})
  /** The HTTP status, if a server answered. */
  readonly status: number | undefined
  /** Seconds to wait before trying again, if the server says so. */
  readonly retryAfter: number | undefined
  /** Identifies the request in the server's log. */
  readonly requestId: string | undefined

  constructor(code: AuthError['code'], message: string, options: AuthErrorOptions = {}) {
    super(message, options)
    this.code = code
    this.status = options.status
    this.retryAfter = options.retryAfter
    this.requestId = options.requestId
  }
}

/**
 * Whether something thrown is an AuthError with this code.
 *
 * @example
 * if (hasCode(error, 'session_ended')) showSignIn()
 */
export const hasCode = (error: unknown, code: string): boolean =>
  error instanceof AuthError && error.code === code

/** @param cause Why the stored session cannot be opened. */
export const notSignedIn = (cause?: unknown): AuthError =>
  new AuthError('not_signed_in', 'Nobody is signed in.', { cause })

/** @param name Of the curve or key type. */
export const keyNotSupported = (name: string, cause?: unknown): AuthError =>
  new AuthError('key_not_supported', `${name} keys are not supported here.`, { cause })

export const sealingRequired = (): AuthError =>
  new AuthError('sealing_required', 'The server gives the key to the vault only in sealed answers.')

/** The app should show the sign-in page. */
export const sessionEnded = (cause?: unknown): AuthError =>
  new AuthError('session_ended', 'The session has ended.', { cause })

/** For `catch`: replaces an error that has this code, and rethrows any other. */
export const inPlaceOf =
  (code: string, other: (cause: unknown) => AuthError) =>
  (cause: unknown): never => {
    throw hasCode(cause, code) ? other(cause) : cause
  }
