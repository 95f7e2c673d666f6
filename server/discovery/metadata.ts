import type { Core } from '../composition.ts'
import type { FeatureParts } from '../feature.ts'
import type { Handler } from '../http/context.ts'
import { requiredKeyType, type KeyUse } from '../../protocol/algorithms.ts'
import { answerKeys, KEYS_MAX_AGE } from '../http/answer-keys.ts'

export function discoveryRoutes(
  { config, keystore }: Pick<Core, 'config' | 'keystore'>,
  features: readonly FeatureParts[],
) {
  const grants = features.flatMap((feature) => Object.keys(feature.grants ?? {}))
  const more = Object.assign({}, ...features.map((feature) => feature.metadata)) as object

  const jwks: Handler = (ctx) => {
    answerKeys(ctx, keystore.jwks)
  }

  /** A current public key, as SPKI PEM. */
  const pem =
    (use: KeyUse): Handler =>
    (ctx) => {
      const { publicKey } = use === 'sig' ? keystore.signingKey : keystore.encryptionKey
      ctx.type = 'application/x-pem-file'
      ctx.body = publicKey.export({ type: 'spki', format: 'pem' })
    }

  /** RFC 8414 §2 metadata and the public token configuration. */
  const metadata: Handler = (ctx) => {
    const { issuer, publicUrl, algorithms } = config
    const { kty, crv } = requiredKeyType('enc', algorithms)
    ctx.set('Cache-Control', `public, max-age=${KEYS_MAX_AGE}`)
    ctx.body = {
      issuer,
      jwks_uri: `${publicUrl}/.well-known/jwks.json`,
      token_endpoint: `${publicUrl}/token`,
      revocation_endpoint: `${publicUrl}/revoke`,
      registration_endpoint: `${publicUrl}/clients`,
      response_types_supported: [],
      grant_types_supported: ['refresh_token', ...grants],
      token_endpoint_auth_methods_supported: ['none'],
      revocation_endpoint_auth_methods_supported: ['none'],
      access_token_signing_alg_values_supported: [algorithms.signingAlg],
      access_token_encryption_alg_values_supported: [algorithms.encryptionAlg],
      access_token_encryption_enc_values_supported: [algorithms.encryptionEnc],
      encryption_key_kty: kty,
      ...(crv === undefined ? {} : { encryption_key_crv: crv }),
      request_binding: config.requestBinding,
      key_bound_tokens_supported: config.keyBoundTokens,
      ...more,
    }
  }

  return { jwks, pem, metadata }
}
