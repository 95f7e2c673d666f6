/** Whether a text is the one base64url spelling of its bytes: decoders are lenient (RFC 4648 §3.5). */
export const isCanonicalBase64url = (text: string): boolean =>
  Buffer.from(text, 'base64url').toString('base64url') === text
