import { compactDecrypt } from 'jose'
import { CONTENT_ENCRYPTIONS, encryptionAlgsFor } from './algorithms.ts'
import type { ClientKey } from './client-key.ts'
import { invalid, parseHeader } from './compact.ts'

/**
 * JWE → plaintext, with this client's key.
 *
 * @param cty What must be inside: `JWT` for a token (RFC 7519 §5.2), `json` for the configuration.
 * @throws AuthError `token_invalid`
 */
export async function decrypt(jwe: string, key: ClientKey, cty: 'JWT' | 'json'): Promise<string> {
  const header = parseHeader(jwe, 5)
  if (header['cty'] !== cty || header['kid'] !== key.id) throw invalid()
  try {
    const { plaintext } = await compactDecrypt(jwe, key.privateKey, {
      keyManagementAlgorithms: [...encryptionAlgsFor(key.publicJwk.kty)],
      contentEncryptionAlgorithms: CONTENT_ENCRYPTIONS,
      maxDecompressedLength: 0,
    })
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(plaintext)
  } catch (cause) {
    throw invalid(cause)
  }
}
