/**
 * The bytes of a canonical base64url text, or `undefined` for any other spelling. Decoders are lenient
 * (RFC 4648 §3.5).
 */
export function decodeCanonical(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64url')
  return bytes.toString('base64url') === text ? bytes : undefined
}

/** Whether a text is the canonical base64url of its bytes. */
export const isCanonicalBase64url = (text: string): boolean => decodeCanonical(text) !== undefined
