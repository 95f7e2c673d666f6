import type { JWK } from 'jose'
import { encryptionAlgsFor, SIGNING_ALGS } from '../../protocol/algorithms.ts'
import { isObject, isText } from '../json.ts'
import { pickPublic, thumbprint } from '../token/public-jwk.ts'

/** A public key of the server, for one use and one algorithm. */
export interface ServerKey extends JWK {
  readonly kty: string
  readonly kid: string
  readonly use: 'sig' | 'enc'
  readonly alg: string
}

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
  if (!isObject(jwk)) return undefined
  const { kty, kid, use, alg } = jwk
  if (!isText(kty) || !isText(kid) || !isText(alg)) return undefined
  if (use !== 'sig' && use !== 'enc') return undefined
  const algs: readonly string[] = use === 'sig' ? SIGNING_ALGS : encryptionAlgsFor(kty)
  if (!algs.includes(alg)) return undefined
  const key = pickPublic(jwk)
  return (await thumbprint(key)) === kid ? { ...key, kty, kid, use, alg } : undefined
}
