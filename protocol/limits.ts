/** Limits on what the server reads. */

/** Bytes of a request body. */
export const MAX_BODY = 64 * 1024
/** Characters of a compact token; ours are under 2 KiB. */
export const MAX_TOKEN_LENGTH = 8 * 1024
/** Characters of the URL that a token is bound to. */
export const MAX_HTU = 2048
/** Characters of an address: 256 for a path (RFC 5321 §4.5.3.1.3), less its two angle brackets. */
export const MAX_EMAIL_LENGTH = 254
/**
 * UTF-16 code units of a password as sent. Normalization takes quadratic time for some texts: 0.2 ms
 * for the worst of this length, but seconds for the worst that fits in a body.
 */
export const MAX_PASSWORD_CODE_UNITS = 512
