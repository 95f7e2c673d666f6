/** Whether a text is the canonical base64url of its bytes. Decoders are lenient (RFC 4648 §3.5). */
export const isCanonicalBase64url = (text: string): boolean =>
  Buffer.from(text, 'base64url').toString('base64url') === text
