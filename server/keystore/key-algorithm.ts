import type { KeyObject } from 'node:crypto'
import {
  algorithmFor,
  requiredKeyType,
  SIGNING_ALGS,
  SIGNING_KEY_TYPES,
  type Algorithms,
  type KeyUse,
} from '../../protocol/algorithms.ts'
import type { KeyPair } from './key-pair.ts'
import { mismatch } from './key-type.ts'
import type { StoredKey } from './stored-key.ts'

const VARIABLE = { sig: 'TOKEN_SIGNING_ALG', enc: 'TOKEN_ENCRYPTION_ALG' } as const

/** The algorithm that a key is bound to: the recorded one, or else one that fits its type. */
export function algorithmOf(
  { use, state, key, record }: Pick<StoredKey, 'use' | 'state' | 'key' | 'record'>,
  algorithms: Algorithms,
): KeyPair['alg'] {
  const configured = algorithmFor(use, algorithms)
  const fits = mismatch(key, requiredKeyType(use, algorithms)) === undefined
  // Several key management algorithms can share a key type. The configured one is then published.
  if (use === 'enc' && state === 'current' && fits) return configured
  if (record !== undefined) return record.alg
  return fits ? configured : guess(use, key)
}

function guess(use: KeyUse, key: KeyObject): KeyPair['alg'] {
  if (use === 'enc') return key.asymmetricKeyType === 'rsa' ? 'RSA-OAEP-256' : 'ECDH-ES+A128KW'
  return SIGNING_ALGS.find((alg) => mismatch(key, SIGNING_KEY_TYPES[alg]) === undefined) ?? 'ES256'
}

/** Says why a key does not fit the configuration. `undefined` if it fits. */
export function misfit(
  { use, path, key, record }: StoredKey,
  algorithms: Algorithms,
): string | undefined {
  const configured = `${VARIABLE[use]}=${algorithmFor(use, algorithms)}`
  const remedy =
    'To switch to the configured algorithm and keep everybody signed in, run `npm run keys -- rotate`. Or change the configuration to fit the key.'
  const fault = mismatch(key, requiredKeyType(use, algorithms))
  if (fault !== undefined) return `${path} is ${fault}, which ${configured} requires. ${remedy}`
  if (use === 'sig' && record !== undefined && record.alg !== algorithms.signingAlg) {
    return `${path} was made for ${record.alg}, but the configuration says ${configured}. ${remedy}`
  }
  return undefined
}
