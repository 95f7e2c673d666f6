import { requiredKeyType } from '../../protocol/algorithms.ts'
import type { Config } from '../config/config.ts'

type TokenPolicy = Pick<
  Config,
  'issuer' | 'algorithms' | 'accessTokenTtl' | 'refreshTokenTtl' | 'requestBinding'
>

/**
 * What a client has to know about the tokens that it receives and sends, under the names of the
 * metadata document. Lifetimes are in seconds. Contains no secrets.
 */
export function tokenConfiguration(policy: TokenPolicy, clientId: string) {
  const { kty, crv } = requiredKeyType('enc', policy.algorithms)
  return {
    iss: policy.issuer,
    aud: clientId,
    access_token_signing_alg: policy.algorithms.signingAlg,
    access_token_encryption_alg: policy.algorithms.encryptionAlg,
    access_token_encryption_enc: policy.algorithms.encryptionEnc,
    encryption_key_kty: kty,
    ...(crv === undefined ? {} : { encryption_key_crv: crv }),
    access_token_ttl: policy.accessTokenTtl,
    refresh_token_ttl: policy.refreshTokenTtl,
    request_binding: policy.requestBinding,
  }
}
