import { z } from 'zod'
import { fetchDocument, ProviderError } from './provider-document.ts'
import { readCertificates, readKeySet, type ProviderKeySet } from './provider-key-set.ts'
import { isOnThisMachine, isSafeUrl } from './safe-url.ts'
import type { TrustedIssuer } from './trusted-issuers.ts'

/** The keys that a provider publishes now. */
export interface LoadedKeys {
  readonly keys: ProviderKeySet
  /** Seconds for which the keys are fresh. */
  readonly maxAge: number
}

/** Milliseconds that an issuer gets for all requests together. */
const TIMEOUT = 5000

const metadataSchema = z.object({
  issuer: z.string(),
  jwks_uri: z.string().refine(isSafeUrl),
})

/**
 * Fetches an issuer's keys from the configured location.
 *
 * @param now Milliseconds since the epoch.
 * @throws ProviderError
 */
export async function loadProviderKeys(
  { issuer, keys: location, algorithms }: Pick<TrustedIssuer, 'issuer' | 'keys' | 'algorithms'>,
  now: number,
): Promise<LoadedKeys> {
  const signal = AbortSignal.timeout(TIMEOUT)
  if ('x509_uri' in location) {
    const { members, maxAge } = await fetchDocument(location.x509_uri, signal)
    return { keys: await readCertificates(members, algorithms, now), maxAge }
  }
  const uri = 'jwks_uri' in location ? location.jwks_uri : await discover(issuer, signal)
  const { members, maxAge } = await fetchDocument(uri, signal)
  return { keys: await readKeySet(members, algorithms), maxAge }
}

/** The `jwks_uri` in an issuer's metadata (OpenID Connect Discovery §4). */
async function discover(issuer: string, signal: AbortSignal): Promise<string> {
  const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`
  const metadata = metadataSchema.safeParse((await fetchDocument(url, signal)).members).data
  if (metadata === undefined)
    throw new ProviderError(`${url} does not contain a provider's metadata`)
  // §4.3: a different issuer could be impersonating this one.
  if (metadata.issuer !== issuer) throw new ProviderError(`${url} names another issuer`)
  // A remote provider must not make us call a service on this machine.
  if (isOnThisMachine(metadata.jwks_uri) && !isOnThisMachine(issuer)) {
    throw new ProviderError(`${url} names keys on this machine`)
  }
  return metadata.jwks_uri
}
