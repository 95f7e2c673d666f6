import type { JWK } from 'jose'
import { z } from 'zod'
import { SIGNING_ALGS, SIGNING_KEY_TYPES } from '../../protocol/algorithms.ts'
import { importPublicKey, PublicKeyError } from '../keystore/public-key.ts'
import { findIntrospection, type IntrospectionTarget } from './introspection-target.ts'
import type { VerificationKey } from '../token/verify.ts'

/** Milliseconds to wait for each of the two answers. */
const TIMEOUT = 5_000

export type Fetch = (url: string, init: RequestInit) => Promise<Response>

const metadataSchema = z.object({
  issuer: z.string(),
  jwks_uri: z.string(),
  access_token_signing_alg_values_supported: z.array(z.enum(SIGNING_ALGS)).min(1),
  introspection_endpoint: z.unknown().optional(),
  access_token_encryption_enc_values_supported: z.unknown().optional(),
})
/** What an auth server publishes, as far as services need it. */
export interface Published {
  /** Its signing keys, by `kid`. */
  readonly signingKeys: ReadonlyMap<string, VerificationKey>
  /** `undefined` if it answers no questions about tokens. */
  readonly introspection: IntrospectionTarget | undefined
}

const keySetSchema = z.object({ keys: z.array(z.unknown()) })
const signingKeySchema = z.looseObject({
  kid: z.string(),
  use: z.literal('sig'),
  alg: z.enum(SIGNING_ALGS),
})

/**
 * Fetches the keys of an auth server: first its metadata (RFC 8414), then the JWK
 * Set that the metadata names (RFC 7517 §5). Leaves out keys that are invalid, do not fit their
 * algorithm, or have a `kid` that is not their thumbprint.
 *
 * @param issuer The URL of the auth server. Both documents are below it.
 * @throws Error with a sentence for the log.
 */
export async function fetchPublishedKeys(issuer: string, fetch: Fetch): Promise<Published> {
  const url = `${issuer}/.well-known/oauth-authorization-server`
  const metadata = metadataSchema.safeParse(await getJson(url, fetch)).data
  if (metadata === undefined) throw new Error(`${url} is not the metadata of a jwe-auth-server.`)
  // RFC 8414 §3.3: the issuer in the metadata must be the one that was asked for.
  if (metadata.issuer !== issuer) throw new Error(`The server at ${issuer} has a different ISSUER.`)
  if (!metadata.jwks_uri.startsWith(`${issuer}/`)) {
    throw new Error(`The jwks_uri in the metadata of ${issuer} is not below that URL.`)
  }
  const set = keySetSchema.safeParse(await getJson(metadata.jwks_uri, fetch)).data
  if (set === undefined) throw new Error(`${metadata.jwks_uri} is not a JWK Set.`)
  const keys = await Promise.all(set.keys.map(toVerificationKey))
  return {
    signingKeys: new Map(keys.filter((key) => key !== undefined).map((key) => [key.kid, key])),
    introspection: await findIntrospection(issuer, metadata, set.keys),
  }
}

/**
 * Each key has its own algorithm: after a change of algorithms, tokens of the old one are still
 * valid.
 */
async function toVerificationKey(jwk: unknown): Promise<VerificationKey | undefined> {
  const described = signingKeySchema.safeParse(jwk).data
  if (described === undefined) return undefined
  const { kid, alg } = described
  try {
    const { kid: thumbprint, publicKey } = await importPublicKey(jwk as JWK, SIGNING_KEY_TYPES[alg])
    return thumbprint === kid ? { kid, alg, publicKey } : undefined
  } catch (error) {
    if (error instanceof PublicKeyError) return undefined
    throw error
  }
}

async function getJson(url: string, fetch: Fetch): Promise<unknown> {
  let response: Response
  try {
    response = await fetch(url, { redirect: 'error', signal: AbortSignal.timeout(TIMEOUT) })
  } catch (cause) {
    throw new Error(`${url} cannot be reached.`, { cause })
  }
  if (response.status !== 200) throw new Error(`${url} answered ${response.status}.`)
  try {
    return await response.json()
  } catch (cause) {
    throw new Error(`${url} did not answer with JSON.`, { cause })
  }
}
