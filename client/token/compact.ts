import { base64url } from 'jose'
import { REFUSED_PARAMETERS } from '../../protocol/headers.ts'
import { AuthError } from '../errors.ts'
import { parseObject, type Json } from '../json.ts'

/**
 * Parses the protected header of a compact JWS (3 parts, RFC 7515 §7.1) or JWE (5 parts, RFC 7516
 * §7.1), before any cryptography. Every part must be canonical base64url.
 *
 * @throws AuthError `token_invalid`
 */
export function parseHeader(token: string, parts: 3 | 5): Json {
  const segments = token.split('.')
  if (segments.length !== parts) throw invalid('segments')
  const header = parseObject(segments.map(decode)[0] ?? new Uint8Array())
  if (header === undefined || REFUSED_PARAMETERS.some((name) => Object.hasOwn(header, name))) {
    throw invalid('header')
  }
  return header
}

function decode(segment: string): Uint8Array {
  try {
    const bytes = base64url.decode(segment)
    // Decoders are lenient, so several strings would decode to the same token.
    if (base64url.encode(bytes) === segment) return bytes
  } catch {
    // Not even a lenient decoder accepts it.
  }
  throw invalid('base64url')
}

/**
 * For the `catch` of a call to jose: turns its errors into `token_invalid`. Any other error says nothing
 * about the token, and must not end a session.
 */
export function invalidByJose(cause: unknown): never {
  const code = String((cause as { code?: unknown }).code)
  throw code.startsWith('ERR_J') ? invalid(code, cause) : cause
}

/** @param reason What is wrong, in the same words as the server's log. It quotes nothing from the token. */
export const invalid = (reason: string, cause?: unknown): AuthError =>
  new AuthError('token_invalid', `The token is not valid: ${reason}.`, {
    cause,
  })
