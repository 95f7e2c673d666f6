import type { JWK } from 'jose'
import { encryptionAlgsFor, SIGNING_ALGS } from '../../protocol/algorithms.ts'
import { isObject, isText } from '../json.ts'
import { pickPublic, thumbprint } from '../token/public-jwk.ts'

/** One of the server's public keys, as published, bound to its one use and its one algorithm. */
export interface ServerKey extends JWK {
  readonly kty: string
  readonly kid: string
  readonly use: 'sig' | 'enc'
  readonly alg: string
}

/**
 * The keys of a JWK Set (RFC 7517 §5) that can be used, in its order: the current one of each use
 * comes first. A key under another name than its thumbprint is left out.
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
