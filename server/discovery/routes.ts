import { z } from 'zod'
import type { Core } from '../composition.ts'
import type { FeatureParts } from '../feature.ts'
import type { Handler } from '../http/context.ts'
import { documented } from '../http/documented.ts'
import { requiredKeyType, type KeyUse } from '../../protocol/algorithms.ts'
import { answerKeys, jwkSet, KEYS_MAX_AGE } from './answer-keys.ts'

const PEM_TYPE = 'application/x-pem-file'

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
  const pem = (use: KeyUse) => {
    const answer: Handler = (ctx) => {
      const { publicKey } = use === 'sig' ? keystore.signingKey : keystore.encryptionKey
      ctx.type = PEM_TYPE
      ctx.body = publicKey.export({ type: 'spki', format: 'pem' })
    }
    return documented(answer, { summary: `The current public key, use "${use}".`, 200: PEM_TYPE })
  }

  const { issuer, publicUrl, algorithms } = config
  const { kty, crv } = requiredKeyType('enc', algorithms)
  /** RFC 8414 §2 metadata and the public token configuration. */
  const document = {
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

  const metadata: Handler = (ctx) => {
    ctx.set('Cache-Control', `public, max-age=${KEYS_MAX_AGE}`)
    ctx.body = document
  }

  return {
    jwks: documented(jwks, {
      summary: 'The public keys, past and next ones included (RFC 7517).',
      200: jwkSet,
      304: null,
    }),
    pem,
    metadata: documented(metadata, {
      summary: 'The metadata of the server (RFC 8414), and its token configuration.',
      200: schemaLike(document),
    }),
  }
}

/** The schema of an object whose members are always there. */
function schemaLike(document: object): z.ZodObject {
  const members = Object.entries(document).map(([name, value]) => {
    if (typeof value === 'boolean') return [name, z.boolean()]
    return [name, Array.isArray(value) ? z.array(z.string()) : z.string()]
  })
  return z.object(Object.fromEntries(members) as z.ZodRawShape)
}
