/** Bytes and their text forms. */

/** What Web Crypto takes: never a view of shared memory. */
export type Bytes = Uint8Array<ArrayBuffer>

export const utf8 = (text: string): Bytes => new TextEncoder().encode(text)

export const randomBytes = (length: number): Bytes => crypto.getRandomValues(new Uint8Array(length))

export function concat(...parts: readonly Uint8Array[]): Bytes {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0))
  let offset = 0
  for (const part of parts) {
    whole.set(part, offset)
    offset += part.length
  }
  return whole
}

/** The SHA-256 of bytes, base64url. */
export const sha256 = async (bytes: Bytes): Promise<string> =>
  encodeBase64url(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)))

/** Base64url without padding (RFC 7515 §2). */
export const encodeBase64url = (bytes: Uint8Array): string =>
  btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '')

/**
 * Decodes base64url; `undefined` unless the text is the one spelling of its bytes. A lenient decoder
 * would read several texts as the same token.
 */
export function decodeBase64url(text: string): Bytes | undefined {
  // `atob` throws for some texts that this excludes, and skips spaces in others.
  if (!/^[\w-]*$/.test(text) || text.length % 4 === 1) return undefined
  const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'))
  const bytes = Uint8Array.from(binary, (character) => character.charCodeAt(0))
  // The last character may have bits that do not count (RFC 4648 §3.5).
  return encodeBase64url(bytes) === text ? bytes : undefined
}
