import { requiredKeyType } from '../../protocol/algorithms.ts'
import type { Config } from '../config/config.ts'

/**
 * What a client has to know about the tokens that it receives and sends, under the names of the
 * metadata document. Lifetimes are in seconds. Contains no secrets.
 */
export function tokenConfiguration(config: Config, clientId: string) {
  const { kty, crv } = requiredKeyType('enc', config.algorithms)
  return {
    iss: config.issuer,
    aud: clientId,
    access_token_signing_alg: config.algorithms.signingAlg,
    access_token_encryption_alg: config.algorithms.encryptionAlg,
    access_token_encryption_enc: config.algorithms.encryptionEnc,
    encryption_key_kty: kty,
    ...(crv === undefined ? {} : { encryption_key_crv: crv }),
    access_token_ttl: config.accessTokenTtl,
    refresh_token_ttl: config.refreshTokenTtl,
    request_binding: config.requestBinding,
  }
}
