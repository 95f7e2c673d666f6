/**
 * The errors that a client can see. Codes are from RFC 6749 §5.2, RFC 6750 §3.1 or RFC 7591 §3.2.2
 * if one fits, and plain words otherwise. Clients match on a code, so it never changes.
 */
const STATUS = {
  invalid_request: 400,
  invalid_client: 400,
  invalid_client_metadata: 400,
  invalid_grant: 400,
  unsupported_grant_type: 400,
  invalid_scope: 400,
  invalid_target: 400,
  sealed_body_required: 400,
  invalid_token: 401,
  insufficient_scope: 403,
  not_found: 404,
  method_not_allowed: 405,
  account_exists: 409,
  identity_exists: 409,
  last_way_in: 409,
  payload_too_large: 413,
  unsupported_media_type: 415,
  rate_limited: 429,
  server_error: 500,
  temporarily_unavailable: 503,
} as const

export type ErrorCode = keyof typeof STATUS

interface ErrorOptions {
  /** Overrides the usual status of the code. */
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
}

/**
 * An error answer. Throw it anywhere below the `errors` middleware, which writes it.
 *
 * @example
 * if (note === undefined) throw new HttpError('not_found', 'There is no such note.')
 */
export class HttpError extends Error {
  readonly status: number
  readonly code: ErrorCode
  readonly headers: Readonly<Record<string, string>>

  /**
   * @param description One English sentence that is safe to show to anybody. It never quotes input.
   */
  constructor(code: ErrorCode, description: string, options: ErrorOptions = {}) {
    super(description)
    this.name = 'HttpError'
    this.code = code
    this.status = options.status ?? STATUS[code]
    this.headers = options.headers ?? {}
  }

  /** RFC 6749 §5.2. */
  get body(): { error: ErrorCode; error_description: string } {
    return { error: this.code, error_description: this.message }
  }
}

/** @param seconds How long to wait. */
export const rateLimited = (seconds: number): HttpError =>
  later('rate_limited', seconds, 'Too many requests. Try again later.')

/** @param seconds How long to wait. */
export const unavailable = (
  seconds: number,
  description = 'The server is busy. Try again later.',
): HttpError => later('temporarily_unavailable', seconds, description)

const later = (code: ErrorCode, seconds: number, description: string): HttpError =>
  new HttpError(code, description, {
    headers: { 'Retry-After': String(Math.max(1, Math.ceil(seconds))) },
  })
