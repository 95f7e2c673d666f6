import type { JWK } from 'jose'
import { z } from 'zod'
import {
  ENCRYPTION_ALGS,
  ENCRYPTION_CURVES,
  ENCRYPTION_ENCS,
  type EncryptionEnc,
  type KeyType,
} from '../../protocol/algorithms.ts'
import { importPublicKey, PublicKeyError } from '../keystore/public-key.ts'
import type { Recipient } from '../token/jwe/seal-jwe.ts'

/** Where to ask about tokens, and what to encrypt them to. */
export interface IntrospectionTarget {
  readonly endpoint: string
  readonly recipient: Recipient
  readonly enc: EncryptionEnc
}

const targetSchema = z.object({
  introspection_endpoint: z.string(),
  access_token_encryption_enc_values_supported: z
    .tuple([z.enum(ENCRYPTION_ENCS)])
    .rest(z.unknown()),
})
const encryptionKeySchema = z.looseObject({
  kty: z.string(),
  crv: z.string().optional(),
  kid: z.string(),
  use: z.literal('enc'),
  alg: z.enum(ENCRYPTION_ALGS),
})

/**
 * Finds where an auth server answers questions about tokens, and its current encryption key, which
 * comes first among those for encryption.
 *
 * @param issuer The endpoint must be below it.
 * @returns `undefined` if the server answers no questions, or has no key that can be used.
 */
export async function findIntrospection(
  issuer: string,
  metadata: object,
  keys: readonly unknown[],
): Promise<IntrospectionTarget | undefined> {
  const described = targetSchema.safeParse(metadata).data
  const jwk = keys.map((key) => encryptionKeySchema.safeParse(key).data).find(Boolean)
  if (described === undefined || jwk === undefined) return undefined
  const endpoint = described.introspection_endpoint
  const types: readonly KeyType[] = [{ kty: 'RSA' }, ...Object.values(ENCRYPTION_CURVES)]
  const type = types.find(({ kty, crv }) => kty === jwk.kty && crv === jwk.crv)
  if (type === undefined || !endpoint.startsWith(`${issuer}/`)) return undefined
  const [enc] = described.access_token_encryption_enc_values_supported
  const { alg } = jwk
  try {
    const { kid, publicKey } = await importPublicKey(jwk as JWK, type)
    return kid === jwk.kid ? { endpoint, enc, recipient: { kid, alg, publicKey } } : undefined
  } catch (error) {
    if (error instanceof PublicKeyError) return undefined
    throw error
  }
}
