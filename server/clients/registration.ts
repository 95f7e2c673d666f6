import { z } from 'zod'
import { RefusedError } from '../errors/refused-error.ts'
import { requiredKeyType } from '../../protocol/algorithms.ts'
import type { Config } from '../config/config.ts'
import { line } from '../http/fields.ts'
import { importPublicKey, PublicKeyError } from '../keystore/public-key.ts'
import type { Registration } from './clients.ts'

/** A public encryption key (RFC 7517 §4). Its other members depend on its type. */
const jwk = z.looseObject(
  {
    kty: z.string('must be a string'),
    use: z.literal('enc', 'must be "enc"'),
    alg: z.string('must be a string').exactOptional(),
  },
  'must be a JWK',
)

/** What a client says about itself (RFC 7591 §2). */
export const registrationSchema = z.object({
  client_name: line(100).optional(),
  jwks: z.object(
    { keys: z.tuple([jwk], 'must hold one key, the public encryption key of the client') },
    'must be a JWK Set: an object with "keys"',
  ),
  key_bound_tokens: z.boolean('must be true or false').optional(),
})

/**
 * Checks a registration's key: it must be of the type that the server's tokens are encrypted to.
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
  const [key] = jwks.keys
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

const refuse = (message: string): RefusedError =>
  new RefusedError('invalid_client_metadata', message)
