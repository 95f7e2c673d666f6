import type { OpenedToken } from '../../../../client/index.ts'
import { utf8 } from '../../../../client/bytes.ts'
import { encryptionKeyOf } from '../../../../client/discovery/reader.ts'
import { fetchKeys } from '../../../../client/discovery/server-info.ts'
import { bindRequest } from '../../../../client/token/bind-request.ts'
import { generateClientKey } from '../../../../client/keys/client-key.ts'
import { sealJwe } from '../../../../client/token/jwe/seal-jwe.ts'
import { deriveProofKey, prove } from '../../../../client/token/request-proof.ts'
import type { EncryptionEnc } from '../../../../protocol/algorithms.ts'
import { record, type Exchange } from './wire.ts'

/** Where a token is used. */
export interface Target {
  readonly baseUrl: string
  /** Its issuer or public URL, to which requests are bound. */
  readonly name: string
  readonly path: string
}

/**
 * Uses an opened token like a thief who has everything except the owner's private key: seals it for
 * a request of their own, as if they were the owner, and proves it with a key that they have just
 * made.
 */
export async function useStolen(
  { jws, claims }: OpenedToken,
  enc: EncryptionEnc,
  { baseUrl, name, path }: Target,
): Promise<Exchange> {
  const send = (request: Request) => fetch(request)
  const { cnf } = claims
  const recipient = encryptionKeyOf(await fetchKeys(send, baseUrl), baseUrl, cnf?.jwk.crv)
  const binding = await bindRequest({ method: 'GET', url: name + path, now: Date.now() / 1000 })
  let req = binding
  if (cnf !== undefined) {
    const { kty, crv } = recipient
    const { privateKey } = await generateClientKey({
      kty: kty as 'EC' | 'OKP',
      ...(crv && { crv }),
    })
    req = await prove(await deriveProofKey({ id: claims.aud, privateKey }, recipient), binding, jws)
  }
  const token = await sealJwe(utf8(jws), recipient, { enc, header: { cty: 'JWT', req } })
  const headers = { authorization: `Bearer ${token}` }
  const [, exchange] = await record(new Request(baseUrl + path, { headers, credentials: 'omit' }))
  return exchange
}
