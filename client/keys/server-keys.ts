import {
  encryptionAlgsFor,
  SIGNING_ALGS,
  type EncryptionAlg,
  type SigningAlg,
} from '../../protocol/algorithms.ts'
import { isObject, texts } from '../json.ts'
import { pickPublic, thumbprint, type PublicJwk } from './public-jwk.ts'

/** A public key of the server, for one use and one algorithm. */
export type ServerKey = PublishedKey<'sig', SigningAlg> | EncryptionKey
export type EncryptionKey = PublishedKey<'enc', EncryptionAlg>

interface PublishedKey<Use, Alg> extends PublicJwk {
  readonly kty: string
  readonly kid: string
  readonly use: Use
  readonly alg: Alg
}

/** Finds the server's signing key with this `kid`. */
export type VerificationKeys = (kid: string) => Promise<ServerKey | undefined>

/**
 * The usable keys of a JWK Set (RFC 7517 §5), in its order: the current key of each use comes first.
 * Skips keys whose `kid` is not their thumbprint.
 */
export async function readKeySet(body: unknown): Promise<ServerKey[]> {
  const list: unknown = isObject(body) ? body['keys'] : undefined
  if (!Array.isArray(list)) return []
  const keys = await Promise.all(list.map(readKey))
  return keys.filter((key) => key !== undefined)
}

async function readKey(jwk: unknown): Promise<ServerKey | undefined> {
  const names = texts(jwk, 'kty', 'kid', 'use', 'alg')
  if (names === undefined) return undefined
  const { kty, kid, use } = names
  const key = { ...pickPublic(jwk as object), kty, kid }
  if ((await thumbprint(key)) !== kid) return undefined
  const isNamed = (alg: string) => alg === names.alg
  if (use === 'sig') {
    const alg = SIGNING_ALGS.find(isNamed)
    return alg && { ...key, use, alg }
  }
  const alg = encryptionAlgsFor(kty).find(isNamed)
  return use === 'enc' && alg !== undefined ? { ...key, use, alg } : undefined
}
