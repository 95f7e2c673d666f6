import type { OpenedToken } from '../client/index.ts'
import type { EncryptionEnc } from '../protocol/algorithms.ts'
import { utf8 } from '../client/bytes.ts'
import { encryptionKeyOf } from '../client/discovery/reader.ts'
import { fetchKeys } from '../client/discovery/server-info.ts'
import { bindRequest } from '../client/token/bind-request.ts'
import { generateClientKey } from '../client/keys/client-key.ts'
import { sealJwe } from '../client/token/jwe/seal-jwe.ts'
import { deriveProofKey, prove } from '../client/token/request-proof.ts'
import { resend, type Answer } from './wire.ts'

/** Where a token is used. */
export interface Target {
  readonly baseUrl: string
  /** Its issuer or public URL, to which requests are bound. */
  readonly name: string
  readonly path: string
}

/**
 * Uses an opened token like a thief who has everything except the owner's private key: encrypts it
 * for a request of their own, as if they were the owner, and proves it with a key that they have
 * just made.
 */
export async function useStolen(
  { jws, claims: { aud, cnf } }: OpenedToken,
  { baseUrl, name, path }: Target,
  enc: EncryptionEnc,
): Promise<Answer> {
  const keys = await fetchKeys((request) => fetch(request), baseUrl)
  const recipient = encryptionKeyOf(keys, baseUrl, cnf?.jwk.crv)
  let req = await bindRequest({ method: 'GET', url: name + path, now: Date.now() / 1000 })
  if (cnf !== undefined) {
    const { kty, crv } = cnf.jwk
    const { privateKey } = await generateClientKey({ kty: kty as 'EC' | 'OKP', crv })
    req = await prove(await deriveProofKey({ id: aud, privateKey }, recipient), req, jws)
  }
  const token = await sealJwe(utf8(jws), recipient, { enc, header: { cty: 'JWT', req } })
  const headers = { authorization: `Bearer ${token}` }
  return resend({ url: baseUrl + path, method: 'GET', headers, token, body: '' })
}
