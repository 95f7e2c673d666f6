import type { Core } from '../../composition.ts'
import { checkIdTokenClaims, type IdTokenClaims } from './id-token-claims.ts'
import { readIdToken, verifySignature } from './id-token.ts'
import { IdTokenRefused } from './id-token-refused.ts'
import { loadProviderKeys } from './load-provider-keys.ts'
import { createProviderKeys } from './provider-keys.ts'
import type { TrustedIssuer } from './trusted-issuers.ts'

/** An ID token that has passed every check except whether it was used before. */
export interface IdToken extends IdTokenClaims {
  /** See id-token.ts. */
  readonly id: string
}

/**
 * Checks an ID token that a client presents.
 *
 * @throws IdTokenRefused; UnavailableError if the issuer's keys are unavailable.
 */
export type VerifyIdToken = (jws: string, clientId: string) => Promise<IdToken>

export function createIdTokenVerifier(
  { clock, logger }: Pick<Core, 'clock' | 'logger'>,
  issuers: readonly TrustedIssuer[],
): VerifyIdToken {
  const known = new Map(
    issuers.map((trusted) => {
      const load = () => loadProviderKeys(trusted, clock())
      const { issuer } = trusted
      return [issuer, { trusted, keys: createProviderKeys({ issuer, load, clock, logger }) }]
    }),
  )

  return async function verifyIdToken(jws, clientId) {
    const token = readIdToken(jws)
    const { alg, kid, claims, id } = token
    // Used only for this lookup, so that a caller cannot choose which URL is fetched.
    const issuer = known.get(claims['iss'] as string)
    if (issuer === undefined) throw new IdTokenRefused('iss')
    const allowed: readonly string[] = issuer.trusted.algorithms
    if (!allowed.includes(alg)) throw new IdTokenRefused('alg')
    const found = await issuer.keys.find(kid)
    if (found === undefined) throw new IdTokenRefused('kid')
    if (!found.algorithms.some((each) => each === alg)) throw new IdTokenRefused('alg')
    await verifySignature(token, found.key)
    // Not rounded: used tokens are remembered until the exact time at which they expire.
    const now = clock() / 1000
    return { ...checkIdTokenClaims(claims, { issuer: issuer.trusted, clientId, now }), id }
  }
}
