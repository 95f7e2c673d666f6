import { z } from 'zod'
import { fetchDocument, ProviderError } from './provider-document.ts'
import { readCertificates, readKeySet, type ProviderKeySet } from './provider-key-set.ts'
import { isOnThisMachine, isSafeUrl } from './safe-url.ts'
import type { TrustedIssuer } from './trusted-issuers.ts'

/** What a provider publishes now. */
export interface LoadedKeys {
  readonly keys: ProviderKeySet
  /** Seconds for which they are fresh. */
  readonly maxAge: number
}

interface LoadOptions {
  /** Milliseconds since the epoch. */
  readonly now: number
  /** Milliseconds for all of it. */
  readonly timeout: number
}

const metadataSchema = z.object({
  issuer: z.string(),
  jwks_uri: z.string().refine(isSafeUrl),
})

/**
 * Fetches the keys of an issuer, from where the configuration says.
 *
 * @throws ProviderError
 */
export async function loadProviderKeys(
  { issuer, keys: location, algorithms }: Pick<TrustedIssuer, 'issuer' | 'keys' | 'algorithms'>,
  { now, timeout }: LoadOptions,
): Promise<LoadedKeys> {
  const signal = AbortSignal.timeout(timeout)
  if ('x509_uri' in location) {
    const { members, maxAge } = await fetchDocument(location.x509_uri, signal)
    return { keys: await readCertificates(members, algorithms, now), maxAge }
  }
  const uri = 'jwks_uri' in location ? location.jwks_uri : await discover(issuer, signal)
  const { members, maxAge } = await fetchDocument(uri, signal)
  return { keys: await readKeySet(members, algorithms), maxAge }
}

/** The `jwks_uri` that an issuer's metadata names (OpenID Connect Discovery §4). */
async function discover(issuer: string, signal: AbortSignal): Promise<string> {
  const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`
  const metadata = metadataSchema.safeParse((await fetchDocument(url, signal)).members).data
  if (metadata === undefined) throw new ProviderError(`${url} is not a provider's metadata`)
  // §4.3: who answers must be who was asked for.
  if (metadata.issuer !== issuer) throw new ProviderError(`${url} is of another issuer`)
  // A provider elsewhere has no business with what listens on this machine.
  if (isOnThisMachine(metadata.jwks_uri) && !isOnThisMachine(issuer)) {
    throw new ProviderError(`${url} names keys on this machine`)
  }
  return metadata.jwks_uri
}
