import { setTimeout as sleep } from 'node:timers/promises'
import type { JSONWebKeySet } from 'jose'
import { ENCRYPTION_ENCS } from '../../protocol/algorithms.ts'
import type { AccessTokenClaims, ServiceTokenClaims } from '../../protocol/tokens.ts'
import { invalid } from '../errors/token-error.ts'
import { UnavailableError } from '../errors/unavailable-error.ts'
import { auditReplay, checkToken } from '../http/access-token.ts'
import { personRequired } from '../http/bearer-challenge.ts'
import { unavailable } from '../http/http-error.ts'
import { createReplayCache } from '../limits/replay-cache.ts'
import { createRefusedTokens } from '../log/refused-tokens.ts'
import { createRequestBinding } from '../token/request-binding.ts'
import { createTokenCaches, type ReadingContext } from '../token/token-context.ts'
import { rememberAgreement, validate } from '../token/validate.ts'
import { anyForeignToken } from './foreign-token.ts'
import { createRemoteKeys } from './remote-keys.ts'
import { createIsActive } from './introspector.ts'
import { openServiceKey } from './service-key.ts'
import { checkWords, type ServiceAuthOptions } from './service-options.ts'
import { readRequest, type ServiceRequest } from './service-request.ts'
import { checkServiceUrls } from './service-urls.ts'

/** The claims that a service gets: those of services only if it asks for them. */
export type ClaimsOf<Services extends boolean> = Services extends true
  ? AccessTokenClaims | ServiceTokenClaims
  : AccessTokenClaims

/**
 * Creates the part of a service that checks access tokens. It does not depend on a framework.
 *
 * @throws StartupError for an option that cannot be used.
 */
export async function createAuthenticator(options: ServiceAuthOptions) {
  const { issuer, url, logger, requestBinding = 'required', clock = Date.now } = options
  const { isAlive = () => true, fetch = globalThis.fetch, replayCache } = options
  const { keyBoundTokens = 'optional' } = options
  checkServiceUrls(issuer, url)
  checkWords({ requestBinding, keyBoundTokens })
  const key = await openServiceKey(options.encryptionKey)
  // With a kept key, an earlier process may have seen tokens that this one would accept again.
  const mayHaveSeen = options.encryptionKey !== undefined && replayCache === undefined
  const notBefore = mayHaveSeen ? Math.ceil(clock() / 1000) * 1000 : 0
  if (mayHaveSeen) await sleep(Math.max(0, notBefore - clock()))

  const refusedTokens = createRefusedTokens(logger)
  const keys = createRemoteKeys({ issuer, fetch, clock, logger })
  const context: ReadingContext = {
    issuer,
    clock,
    caches: createTokenCaches(),
    algorithms: { encryptionEnc: ENCRYPTION_ENCS },
    keystore: {
      decryptionKey: (kid) => (kid === undefined || kid === key.kid ? key : undefined),
      verificationKey: (kid) => keys.find(kid),
    },
  }
  const binding = createRequestBinding({
    publicUrl: url,
    requestBinding,
    clock,
    notBefore,
    replayCache: replayCache ?? createReplayCache(),
  })

  const isActive = await createIsActive(options, { issuer, clock, fetch, key, keys })

  /**
   * Checks the access token of a request. Call it once per request: a bound token is used up.
   *
   * @param serviceTokens Whether the token may be a service's. Otherwise, that is 403.
   * @throws HttpError, UnavailableError, TooManyTries; whatever `isAlive` throws.
   */
  async function authenticate<Services extends boolean>(
    request: ServiceRequest,
    serviceTokens: Services | undefined,
  ): Promise<ClaimsOf<Services>> {
    const { method } = request
    const logged = { log: request.log ?? logger }
    const { token, path, body } = readRequest(request)
    const check = async (token: string) => {
      const valid = await read(token)
      const { claims, header, jws } = valid
      if (keyBoundTokens === 'required' && claims.cnf === undefined) throw invalid('cnf_missing')
      if (claims.sid !== undefined && !(await isAlive(claims))) throw invalid('session')
      if (!(await isActive(claims, jws))) throw invalid('session')
      const bound = { method, path, body, onReplay: auditReplay(logged) }
      // Last, so that a request that is refused for another reason is not used up.
      await binding.check(bound, header, claims)
      rememberAgreement(context, valid)
      if (claims.sid === undefined && serviceTokens !== true) throw personRequired()
      return claims as ClaimsOf<Services>
    }
    return checkToken(token, check, logged, refusedTokens)
  }

  async function read(token: string) {
    try {
      return await validate(context, anyForeignToken, token)
    } catch (error) {
      if (!(error instanceof UnavailableError)) throw error
      // A 401 would sign the client out, but the token may be valid.
      throw unavailable(error.retryAfter, 'Tokens cannot be checked. Try again later.')
    }
  }

  /** This service's encryption key, to be published at `/.well-known/jwks.json`. */
  const jwks: JSONWebKeySet = { keys: [key.publicJwk] }
  return { jwks, ready: keys.reload, authenticate }
}
