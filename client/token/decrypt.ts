import { ENCRYPTION_ENCS, encryptionAlgsFor } from '../../protocol/algorithms.ts'
import { decodeUtf8 } from '../json.ts'
import type { ClientKey } from '../keys/client-key.ts'
import { invalid } from '../token-error.ts'
import { parseCompact } from './compact.ts'
import { openJwe } from './jwe/open-jwe.ts'

/**
 * Decrypts a JWE with this client's key.
 *
 * @param cty The expected content: `JWT` for a token (RFC 7519 §5.2), `json` for the configuration.
 * @throws AuthError `token_invalid`
 */
export async function decrypt(jwe: string, key: ClientKey, cty: 'JWT' | 'json'): Promise<string> {
  const compact = parseCompact(jwe, 5)
  const { header } = compact
  if (header['cty'] !== cty) throw invalid('cty')
  if (header['kid'] !== key.id) throw invalid('jwe_kid')
  const alg = encryptionAlgsFor(key.publicJwk.kty).find((name) => name === header['alg'])
  if (alg === undefined) throw invalid('jwe_alg')
  const enc = ENCRYPTION_ENCS.find((name) => name === header['enc'])
  if (enc === undefined) throw invalid('jwe_enc')
  const text = decodeUtf8(await openJwe(compact, key, alg, enc))
  if (text === undefined) throw invalid('plaintext')
  return text
}
