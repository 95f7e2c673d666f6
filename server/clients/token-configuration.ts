import { requiredKeyType, type Algorithms } from '../../protocol/algorithms.ts'

/** The server's token configuration for a client, in the names of the metadata document. */
export interface TokenConfiguration {
  readonly iss: string
  readonly aud: string
  readonly access_token_signing_alg: string
  readonly access_token_encryption_alg: string
  readonly access_token_encryption_enc: string
  readonly encryption_key_kty: string
  readonly encryption_key_crv?: string
  /** Seconds. */
  readonly access_token_ttl: number
  /** Seconds. */
  readonly refresh_token_ttl: number
  readonly request_binding: 'optional' | 'required'
}

interface TokenPolicy {
  readonly issuer: string
  readonly algorithms: Algorithms
  readonly accessTokenTtl: number
  readonly refreshTokenTtl: number
  readonly requestBinding: 'optional' | 'required'
}

/** What a client has to know about the tokens that it will receive and send. Nothing secret. */
export function tokenConfiguration(policy: TokenPolicy, clientId: string): TokenConfiguration {
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
