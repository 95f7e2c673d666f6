/** The same keys for the client's Web Crypto, the server's node:crypto, and jose. */
import type { Bytes } from '../../../../client/bytes.ts'
import type { ClientKey } from '../../../../client/keys/client-key.ts'
import { pickPublic } from '../../../../client/keys/public-jwk.ts'
import { ecdhOn, RSA_OAEP } from '../../../../client/keys/web-crypto.ts'
import { invalid } from '../../../../client/token-error.ts'
import { parseCompact } from '../../../../client/token/compact.ts'
import { openJwe } from '../../../../client/token/jwe/open-jwe.ts'
import { sealJwe, type Recipient } from '../../../../client/token/jwe/seal-jwe.ts'
import {
  ENCRYPTION_ENCS,
  type EncryptionAlg,
  type EncryptionEnc,
} from '../../../../protocol/algorithms.ts'
import { keyFor, type Crv, type TestKey } from '../../../token/jwe/fixtures.ts'

/** A buffer as Web Crypto takes it. */
export const bytes = (buffer: Uint8Array): Bytes => new Uint8Array(buffer)

export const importPrivate = (jwk: JsonWebKey, crv: Crv): Promise<CryptoKey> =>
  crv === undefined
    ? crypto.subtle.importKey('jwk', jwk, RSA_OAEP, false, ['decrypt'])
    : crypto.subtle.importKey('jwk', jwk, ecdhOn(crv), false, ['deriveBits'])

/** A client's key. */
export async function clientKeyFor(alg: EncryptionAlg, crv: Crv): Promise<ClientKey> {
  const { kid, publicKey, privateKey } = keyFor(alg, crv)
  const publicJwk = pickPublic(publicKey.export({ format: 'jwk' }))
  const jwk = privateKey.export({ format: 'jwk' }) as JsonWebKey
  return { id: kid, publicJwk, privateKey: await importPrivate(jwk, crv) }
}

export const recipientOf = ({ kid, alg, publicKey }: TestKey): Recipient => ({
  ...pickPublic(publicKey.export({ format: 'jwk' })),
  kid,
  alg,
})

export const sealTo = (recipient: Recipient, enc: EncryptionEnc, text: string): Promise<string> =>
  sealJwe(bytes(Buffer.from(text)), recipient, { enc, header: {} })

/** Opens a JWE as `decrypt` does, after the same checks. */
export async function openText(jwe: string, key: ClientKey, alg: EncryptionAlg): Promise<string> {
  const compact = parseCompact(jwe, 5)
  const enc = ENCRYPTION_ENCS.find((name) => name === compact.header['enc'])
  if (compact.header['alg'] !== alg || enc === undefined) throw invalid('jwe_alg')
  return Buffer.from(await openJwe(compact, key, alg, enc)).toString()
}
