/**
 * The proof of a key-bound token: whoever sends it holds the private key of the token's client. It is
 * the `mac` of the request binding, and costs no signature:
 *
 *     mac = base64url(HMAC-SHA256(K, proofInput(…)))
 *     K   = HKDF-SHA256(ikm = Z, salt = empty, info = proofKeyInfo(…), 32 bytes)   (RFC 5869)
 *     Z   = the ECDH secret of the client's key and the recipient's encryption key
 *
 * Only these two can compute K, so a proof is worthless at any other recipient. It is no signature:
 * the recipient could make it too, for itself alone.
 */
import type { Binding } from './binding.ts'

/** Bytes of K. */
export const PROOF_KEY_LENGTH = 32

/**
 * The `info` of HKDF (RFC 5869 §2.3), to be encoded as UTF-8.
 *
 * @param clientId The thumbprint of the client's key.
 * @param kid The thumbprint of the recipient's key: the `kid` of the JWE.
 */
export const proofKeyInfo = (clientId: string, kid: string): string =>
  ['jwe-auth-server request proof', clientId, kid].join('\0')

/**
 * What the HMAC is computed over: ASCII, because no member of a binding with a proof is anything else.
 *
 * @param jwsDigest base64url of the SHA-256 of the token's JWS in compact form.
 */
export const proofInput = (
  { jti, iat, htm, htu, dig = '' }: Omit<Binding, 'mac'>,
  jwsDigest: string,
): string => [jti, iat, htm, htu, dig, jwsDigest].join('\n')
