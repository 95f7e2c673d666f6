import { HttpError, type ErrorCode } from './http-error.ts'

/** The WWW-Authenticate header (RFC 6750 §3). */
export const challenge = (parameters = ''): string => `Bearer realm="jwe-auth-server"${parameters}`

/** No token was sent: the challenge names no error (RFC 6750 §3.1). */
export const tokenRequired = (): HttpError =>
  new HttpError('invalid_token', 'This request needs an access token.', {
    headers: { 'WWW-Authenticate': challenge() },
  })

/** The same answer to every refused token but an expired one, so that a forger learns nothing. */
export const tokenRefused = (): HttpError =>
  refused('invalid_token', 'The access token is not valid.')

/** A separate answer, because the client reacts to it by renewing the token. */
export const tokenExpired = (): HttpError =>
  refused('invalid_token', 'The access token has expired.')

/** The token is valid, but does not have the scope (RFC 6750 §3.1). */
export const scopeRequired = (scope: string): HttpError =>
  refused(
    'insufficient_scope',
    'The access token does not have the scope that this request needs.',
    `, scope="${scope}"`,
  )

/** The token is valid, but it is a service's, and this is for people. */
export const personRequired = (): HttpError =>
  refused('insufficient_scope', 'This request needs the access token of a person.')

function refused(code: ErrorCode, description: string, parameters = ''): HttpError {
  const error = `, error="${code}", error_description="${description}"`
  return new HttpError(code, description, {
    headers: { 'WWW-Authenticate': challenge(error + parameters) },
  })
}
