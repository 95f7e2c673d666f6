import { X509Certificate, type KeyObject } from 'node:crypto'
import type { JWK } from 'jose'
import { z } from 'zod'
import { SIGNING_KEY_TYPES, type SigningAlg } from '../../../protocol/algorithms.ts'
import { importPublicKey, PublicKeyError } from '../../keystore/public-key.ts'
import { ProviderError } from './provider-document.ts'

/** The maximum number of keys in a document, because importing each takes time. */
const MAX_KEYS = 100

/** A provider's key, and the algorithms that it may be used with. */
export interface ProviderKey {
  readonly key: KeyObject
  readonly algorithms: readonly SigningAlg[]
}

/** Keys by `kid`. */
export type ProviderKeySet = ReadonlyMap<string, ProviderKey>

const keySetSchema = z.object({ keys: z.array(z.unknown()).max(MAX_KEYS) })
const keySchema = z.looseObject({
  kid: z.string().min(1),
  kty: z.string(),
  crv: z.string().optional(),
  use: z.literal('sig').optional(),
  key_ops: z
    .array(z.unknown())
    .refine((operations) => operations.includes('verify'))
    .optional(),
  alg: z.string().optional(),
})

/**
 * The usable keys of a JWK Set (RFC 7517 §5). Skips keys that are damaged, have no `kid`, or are for
 * another use or algorithm. If two keys share a `kid`, the first counts.
 *
 * @param allowed The issuer's algorithms.
 * @throws ProviderError if the document is not a JWK Set, or has too many keys.
 */
export async function readKeySet(
  document: object,
  allowed: readonly SigningAlg[],
): Promise<ProviderKeySet> {
  const set = keySetSchema.safeParse(document).data
  if (set === undefined)
    throw new ProviderError(`the document is not a JWK Set of at most ${MAX_KEYS} keys`)
  const keys = new Map<string, ProviderKey>()
  for (const jwk of set.keys) {
    const described = keySchema.safeParse(jwk).data
    if (described === undefined || keys.has(described.kid)) continue
    const { kid, kty, crv, alg } = described
    const fitting = allowed.filter((each) => {
      const type = SIGNING_KEY_TYPES[each]
      const isOfType = type.kty === kty && (!('crv' in type) || type.crv === crv)
      return isOfType && (alg === undefined || alg === each)
    })
    const key = await importKey(jwk as JWK, fitting)
    if (key !== undefined) keys.set(kid, key)
  }
  return keys
}

/**
 * The usable keys of a map from `kid` to a PEM certificate. Trusts the certificates because of their
 * URL, so checks only their dates.
 *
 * @param now Milliseconds since the epoch.
 * @throws ProviderError if the document is not such a map, or has too many certificates.
 */
export async function readCertificates(
  document: Readonly<Record<string, unknown>>,
  allowed: readonly SigningAlg[],
  now: number,
): Promise<ProviderKeySet> {
  const entries = Object.entries(document)
  if (entries.length > MAX_KEYS || entries.some(([, pem]) => typeof pem !== 'string')) {
    throw new ProviderError(`the document is not a map of at most ${MAX_KEYS} certificates`)
  }
  const keys = new Map<string, ProviderKey>()
  for (const [kid, pem] of entries) {
    const jwk = keyOfCertificate(pem as string, now)
    const key = jwk && (await importKey(jwk, allowed))
    if (key !== undefined) keys.set(kid, key)
  }
  return keys
}

/** A certificate's key; `undefined` if it is damaged, not valid now, or of an unsupported kind. */
function keyOfCertificate(pem: string, now: number): JWK | undefined {
  try {
    const { validFrom, validTo, publicKey } = new X509Certificate(pem)
    const isValid = Date.parse(validFrom) <= now && now < Date.parse(validTo)
    return isValid ? publicKey.export({ format: 'jwk' }) : undefined
  } catch (error) {
    // Errors of Node and OpenSSL have a code; a bug of ours has none.
    if (typeof (error as NodeJS.ErrnoException).code === 'string') return undefined
    throw error
  }
}

/** Imports a key, with the candidate algorithms that fit its type; `undefined` if none fits. */
async function importKey(
  jwk: JWK,
  candidates: readonly SigningAlg[],
): Promise<ProviderKey | undefined> {
  let key: KeyObject | undefined
  const algorithms: SigningAlg[] = []
  for (const alg of candidates) {
    try {
      key = (await importPublicKey(jwk, SIGNING_KEY_TYPES[alg])).publicKey
      algorithms.push(alg)
    } catch (error) {
      if (!(error instanceof PublicKeyError)) throw error
    }
  }
  return key && { key, algorithms }
}
