import type { JWK } from 'jose'
import { z } from 'zod'
import { RefusedError } from '../errors/refused-error.ts'
import { requiredKeyType } from '../../protocol/algorithms.ts'
import type { Config } from '../config/config.ts'
import { importPublicKey, PublicKeyError } from '../keystore/public-key.ts'

export interface Registration {
  /** The key's thumbprint, which is the client_id. */
  readonly id: string
  readonly name: string | undefined
  /** Only its public members, and the `alg` that it will be used with. */
  readonly jwk: JWK
  /** Whether its tokens will be key-bound. */
  readonly isKeyBound: boolean
}

/** What a client says about itself (RFC 7591 §2). */
interface ClientMetadata {
  readonly client_name?: string | undefined
  readonly jwks: { readonly keys: readonly unknown[] }
  readonly key_bound_tokens?: boolean | undefined
}

type RegistrationPolicy = Pick<Config, 'algorithms' | 'keyBoundTokens'>

/**
 * Checks a registration's keys: exactly one public encryption key, of the type that the server's
 * tokens are encrypted to.
 *
 * @throws RefusedError `invalid_client_metadata` (RFC 7591 §3.2.2).
 */
export async function checkRegistration(
  { client_name: name, jwks, key_bound_tokens: wantsKeyBound = false }: ClientMetadata,
  { algorithms, keyBoundTokens }: RegistrationPolicy,
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
      name,
      jwk: { ...imported.publicKey.export({ format: 'jwk' }), alg: algorithms.encryptionAlg },
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
