import { compactDecrypt } from 'jose'
import { ENCRYPTION_ENCS, encryptionAlgsFor } from '../../protocol/algorithms.ts'
import { decodeUtf8, texts, type Json } from '../json.ts'
import type { ClientKey } from './client-key.ts'
import { invalid, invalidByJose, parseHeader } from './compact.ts'

/**
 * Decrypts a JWE with this client's key.
 *
 * @param cty The expected content: `JWT` for a token (RFC 7519 §5.2), `json` for the configuration.
 * @throws AuthError `token_invalid`
 */
export async function decrypt(jwe: string, key: ClientKey, cty: 'JWT' | 'json'): Promise<string> {
  const header = parseHeader(jwe, 5)
  if (header['cty'] !== cty) throw invalid('cty')
  if (header['kid'] !== key.id) throw invalid('jwe_kid')
  const { epk } = header
  if (epk !== undefined && !isKey(epk)) throw invalid('jwe_kid')
  const { plaintext } = await compactDecrypt(jwe, key.privateKey, {
    keyManagementAlgorithms: encryptionAlgsFor(key.publicJwk.kty),
    contentEncryptionAlgorithms: [...ENCRYPTION_ENCS],
    maxDecompressedLength: 0,
  }).catch(invalidByJose)
  const text = decodeUtf8(plaintext)
  if (text === undefined) throw invalid('payload')
  return text
}

/**
 * Whether an ephemeral key has the required form (RFC 7518 §4.6.1.1). jose checks the rest, but for
 * some malformed keys it throws a plain TypeError, which would look like a bug of ours.
 */
const isKey = (epk: unknown): boolean =>
  texts(epk, 'kty', 'crv', 'x') !== undefined && (epk as Json)['key_ops'] === undefined
