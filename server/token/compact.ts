import { isUtf8 } from 'node:buffer'
import { REFUSED_PARAMETERS } from '../../protocol/headers.ts'
import { MAX_TOKEN_LENGTH } from '../../protocol/limits.ts'
import { invalid } from '../errors/token-error.ts'
import { decodeCanonical } from './jwe/base64url.ts'
import type { Compact } from './jwe/open-jwe.ts'

/**
 * Takes a compact JWS (3 parts, RFC 7515 §7.1) or JWE (5 parts, RFC 7516 §7.1) apart, before any
 * cryptography. Every part must be the canonical base64url of its bytes. Decoders are lenient, so a
 * token could otherwise have many spellings.
 *
 * @param maxLength Characters.
 * @throws TokenError
 */
export function parseCompact(token: string, count: 3 | 5, maxLength = MAX_TOKEN_LENGTH): Compact {
  if (token.length > maxLength) throw invalid('too_long')
  const segments = token.split('.')
  if (segments.length !== count) throw invalid('segments')
  const [first, ...parts] = segments.map((segment) => {
    const bytes = decodeCanonical(segment)
    if (bytes === undefined) throw invalid('base64url')
    return bytes
  })
  const header = first && parseObject(first)
  if (header === undefined) throw invalid('header')
  if (REFUSED_PARAMETERS.some((name) => Object.hasOwn(header, name))) {
    throw invalid('header_parameter')
  }
  return { head: segments[0] ?? '', header, parts }
}

/** A JSON object from UTF-8 bytes, or `undefined` for anything else. */
export function parseObject(bytes: Uint8Array): Record<string, unknown> | undefined {
  const text = decodeUtf8(bytes)
  if (text === undefined) return undefined
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
  return isObject ? (value as Record<string, unknown>) : undefined
}

/** The text of UTF-8 bytes, or `undefined` for bytes that are not UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  if (!isUtf8(bytes)) return undefined
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString()
}
