import type { JWK } from 'jose'
import { z } from 'zod'
import { RefusedError } from '../errors/refused-error.ts'
import { requiredKeyType } from '../../protocol/algorithms.ts'
import type { Config } from '../config/config.ts'
import { line } from '../http/fields.ts'
import { importPublicKey, PublicKeyError } from '../keystore/public-key.ts'
import type { Registration } from './clients.ts'

/** What a client says about itself (RFC 7591 §2). */
export const registrationSchema = z.object({
  client_name: line(100).optional(),
  jwks: z.object(
    { keys: z.array(z.unknown(), 'must be a list of keys') },
    'must be a JWK Set: an object with "keys"',
  ),
  key_bound_tokens: z.boolean('must be true or false').optional(),
})

/**
 * Checks a registration's keys: exactly one public encryption key, of the type that the server's
 * tokens are encrypted to.
 *
 * @throws RefusedError `invalid_client_metadata` (RFC 7591 §3.2.2).
 */
export async function checkRegistration(
  {
    client_name,
    jwks,
    key_bound_tokens: wantsKeyBound = false,
  }: z.infer<typeof registrationSchema>,
  { algorithms, keyBoundTokens }: Pick<Config, 'algorithms' | 'keyBoundTokens'>,
): Promise<Registration> {
  const [key, ...others] = jwks.keys
  if (key === undefined || others.length > 0) {
    throw refuse('jwks must hold exactly one key, the public encryption key of the client.')
  }
  if (!isJwk(key)) throw refuse('The key in jwks is not a JWK.')
  if (key.use !== 'enc') throw refuse('The key in jwks must have "use": "enc".')
  if (key.alg !== undefined && key.alg !== algorithms.encryptionAlg) {
    throw refuse(
      `The "alg" of the key in jwks must be ${algorithms.encryptionAlg}, or be left out.`,
    )
  }
  if (wantsKeyBound && key.kty === 'RSA') {
    throw refuse('key_bound_tokens needs an EC or OKP key: there is no key agreement with RSA.')
  }
  try {
    const imported = await importPublicKey(key, requiredKeyType('enc', algorithms))
    return {
      id: imported.kid,
      name: client_name ?? null,
      // Only its public members.
      jwk: imported.publicKey.export({ format: 'jwk' }),
      alg: algorithms.encryptionAlg,
      isKeyBound: wantsKeyBound && keyBoundTokens,
    }
  } catch (error) {
    throw error instanceof PublicKeyError ? refuse(`The key in jwks ${error.message}.`) : error
  }
}

const jwkSchema = z.object({
  kty: z.string(),
  use: z.string().optional(),
  alg: z.string().optional(),
})

const isJwk = (key: unknown): key is JWK => jwkSchema.safeParse(key).success

const refuse = (message: string): RefusedError =>
  new RefusedError('invalid_client_metadata', message)
