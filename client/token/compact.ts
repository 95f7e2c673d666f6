import { REFUSED_PARAMETERS } from '../../protocol/headers.ts'
import { decodeBase64url } from '../bytes.ts'
import { parseObject } from '../json.ts'
import { invalid } from '../token-error.ts'
import type { Compact } from './jwe/open-jwe.ts'

/**
 * Parses a compact JWS (3 parts, RFC 7515 §7.1) or JWE (5 parts, RFC 7516 §7.1), before any
 * cryptography. Every part must be canonical base64url, so no two texts are the same token.
 *
 * @throws AuthError `token_invalid`
 */
export function parseCompact(token: string, length: 3 | 5): Compact {
  const segments = token.split('.')
  if (segments.length !== length) throw invalid('segments')
  const parts = segments.map((segment) => {
    const bytes = decodeBase64url(segment)
    if (bytes === undefined) throw invalid('base64url')
    return bytes
  })
  const header = parseObject(parts[0] ?? '')
  if (header === undefined || REFUSED_PARAMETERS.some((name) => Object.hasOwn(header, name))) {
    throw invalid('header')
  }
  return { header, segments, parts }
}
