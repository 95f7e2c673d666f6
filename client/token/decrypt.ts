import { compactDecrypt } from 'jose'
import { decodeUtf8, isObject, isText, type Json } from '../json.ts'
import { CONTENT_ENCRYPTIONS, encryptionAlgsFor } from './algorithms.ts'
import type { ClientKey } from './client-key.ts'
import { invalid, invalidByJose, parseHeader } from './compact.ts'

/**
 * JWE → plaintext, with this client's key.
 *
 * @param cty What must be inside: `JWT` for a token (RFC 7519 §5.2), `json` for the configuration.
 * @throws AuthError `token_invalid`
 */
export async function decrypt(jwe: string, key: ClientKey, cty: 'JWT' | 'json'): Promise<string> {
  const header = parseHeader(jwe, 5)
  if (header['cty'] !== cty || header['kid'] !== key.id) throw invalid()
  if (key.publicJwk.kty !== 'RSA' && !isOfTheSameForm(header['epk'], { ...key.publicJwk }))
    throw invalid()
  const { plaintext } = await compactDecrypt(jwe, key.privateKey, {
    keyManagementAlgorithms: [...encryptionAlgsFor(key.publicJwk.kty)],
    contentEncryptionAlgorithms: CONTENT_ENCRYPTIONS,
    maxDecompressedLength: 0,
  }).catch(invalidByJose)
  const text = decodeUtf8(plaintext)
  if (text === undefined) throw invalid()
  return text
}

/**
 * Whether an ephemeral key has the members of ours, each of the same length (RFC 7518 §4.6.1.1).
 * For some that have not, jose throws a plain TypeError, as for a fault of ours.
 */
function isOfTheSameForm(epk: unknown, own: Json): boolean {
  const form = (key: Json) => Object.keys(own).map((name) => isText(key[name]) && key[name].length)
  const size = (key: Json) => Object.keys(key).length
  return isObject(epk) && size(epk) === size(own) && form(epk).join() === form(own).join()
}
