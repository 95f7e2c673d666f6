import { base64url } from 'jose'
import { REFUSED_PARAMETERS } from '../../protocol/headers.ts'
import { AuthError } from '../errors.ts'
import { parseObject, type Json } from '../json.ts'

/**
 * The protected header of a compact JWS (3 parts, RFC 7515 §7.1) or JWE (5 parts, RFC 7516 §7.1),
 * before any cryptography. Every part must be the one base64url spelling of its bytes.
 *
 * @throws AuthError `token_invalid`
 */
export function parseHeader(token: string, parts: 3 | 5): Json {
  const segments = token.split('.')
  if (segments.length !== parts) throw invalid()
  const header = parseObject(segments.map(decode)[0] ?? new Uint8Array())
  if (header === undefined) throw invalid()
  if (REFUSED_PARAMETERS.some((name) => Object.hasOwn(header, name))) throw invalid()
  return header
}

function decode(segment: string): Uint8Array {
  try {
    const bytes = base64url.decode(segment)
    // Decoders are lenient: with them, one token has many spellings.
    if (base64url.encode(bytes) === segment) return bytes
  } catch {
    // Not even lenient ones take it.
  }
  throw invalid()
}

/**
 * For the `catch` of a call to jose: what it finds wrong with a token, by its codes. Anything else
 * says nothing about the token, and must not end a session.
 */
export function invalidByJose(cause: unknown): never {
  const { code } = cause as { code?: unknown }
  throw String(code).startsWith('ERR_J') ? invalid(cause) : cause
}

export const invalid = (cause?: unknown): AuthError =>
  new AuthError('token_invalid', 'The token is damaged, or not for this client.', {
    cause,
  })
