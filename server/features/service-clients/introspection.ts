import type { AccessTokenClaims, ServiceTokenClaims } from '../../../protocol/tokens.ts'
import type { Core } from '../../composition.ts'
import { invalid, TokenError } from '../../errors/token-error.ts'
import type { Logger } from '../../log/logger.ts'
import { anyAccessToken } from '../../token/claims.ts'
import type { IncomingRequest } from '../../token/request-binding.ts'
import { validate } from '../../token/validate.ts'
import type { ServiceClients } from './service-clients.ts'

type Claims = AccessTokenClaims | ServiceTokenClaims

/** What is said of a token (RFC 7662 §2.2). */
export type Introspection =
  | { readonly active: false }
  | ({ readonly active: true; readonly token_type: 'Bearer' } & Omit<Claims, 'gen'>)

/**
 * Looks up an access token for a service that has opened it, and has sealed its JWS to the server for
 * this one request: otherwise, the question would hold a bearer token. No proof of the token's client
 * is needed, because the service has proved who it is.
 */
export type Introspect = (
  token: string,
  request: IncomingRequest,
  log: Logger,
) => Promise<Introspection>

export function createIntrospect(
  { tokens, sessions, binding }: Pick<Core, 'tokens' | 'sessions' | 'binding'>,
  clients: ServiceClients,
): Introspect {
  /** Whether the session lives, of the token's generation; or the service is still registered. */
  const isAlive = async (claims: Claims) =>
    claims.sid === undefined
      ? (await clients.find(claims.client_id)) !== undefined
      : (await sessions.ownerOf(claims)) !== undefined

  return async function introspect(token, request, log) {
    try {
      const { claims, header } = await validate(tokens, anyAccessToken, token, {
        needsProof: false,
      })
      if (!Object.hasOwn(header, 'req')) throw invalid('req_missing')
      // Only the owner of a key-bound token adds a proof: this JWE is not the service's own.
      if (Object.hasOwn(header['req'] ?? {}, 'mac')) throw invalid('req')
      if (!(await isAlive(claims))) throw invalid('session')
      await binding.check(request, header, claims, 'body')
      return describeClaims(claims)
    } catch (error) {
      if (!(error instanceof TokenError)) throw error
      log.debug({ reason: error.reason }, 'introspected token is not active')
      return { active: false }
    }
  }
}

/** Every claim, a cloner's own included, but the generation: it has been checked. */
export function describeClaims(claims: Claims) {
  // JSON leaves it out.
  return { ...claims, gen: undefined, active: true, token_type: 'Bearer' } as const
}
