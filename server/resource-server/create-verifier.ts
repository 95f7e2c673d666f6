import type { JSONWebKeySet } from 'jose'
import { toHttpError } from '../http/error-handler.ts'
import type { HttpError } from '../http/http-error.ts'
import { checkScope } from '../http/require-scope.ts'
import { createAuthenticator, type ClaimsOf } from './authenticator.ts'
import type { ServiceAuthOptions } from './service-options.ts'
import type { ServiceRequest } from './service-request.ts'

/** A complete answer: the same bytes as the auth server's. */
export interface Refusal {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** Whose request it is, or what to answer instead of handling it. */
export type Verdict<Services extends boolean = false> =
  | { readonly claims: ClaimsOf<Services>; readonly refusal?: undefined }
  | { readonly claims?: undefined; readonly refusal: Refusal }

export interface VerifyOptions<Services extends boolean = false> {
  /** The scope that the request needs (RFC 6750 §3.1). */
  readonly scope?: string
  /** Whether the token may be a service's, whose claims have no `sid`. By default, that is 403. */
  readonly serviceTokens?: Services
}

export interface Verifier {
  /** This service's encryption key, to be published at `/.well-known/jwks.json`. */
  readonly jwks: JSONWebKeySet
  /** Fetches the auth server's keys before the first request. Resolves to `false` if that fails. */
  ready(): Promise<boolean>
  /**
   * Checks the access token of a request. Call it once per request: a bound token is used up. Never
   * rejects: an error of `isAlive` is logged and answered with 500.
   */
  verify<Services extends boolean = false>(
    request: ServiceRequest,
    options?: VerifyOptions<Services>,
  ): Promise<Verdict<Services>>
}

/**
 * Verifies the auth server's access tokens for a service on any framework. It needs the keys that
 * the auth server publishes, but no secret of it and no database. Clients encrypt each token to the
 * service's own key, for one request (docs/http-api.md, "Request binding").
 *
 * By itself, a service does not learn that a session has ended. It accepts a token until it expires: up
 * to ACCESS_TOKEN_TTL longer than the auth server. With `introspection`, it asks the auth server. Or
 * check this yourself in `isAlive`, for example with a list of ended sessions (`claims.sid`).
 *
 * A service that has decrypted a key-bound token can use it nowhere else: the proof that came with it is
 * for the service's own key. It could use any other token at the auth server, and at every service
 * that accepts such tokens.
 *
 * @throws StartupError for an option that cannot be used.
 * @example
 * const auth = await createVerifier({ issuer, url: 'https://notes.example.com', logger })
 * const { method, url, rawHeaders: headers } = request // Node's own
 * const { claims, refusal } = await auth.verify({ method, url, headers, body })
 * if (refusal) return response.writeHead(refusal.status, refusal.headers).end(refusal.body)
 */
export async function createVerifier(options: ServiceAuthOptions): Promise<Verifier> {
  const authenticator = await createAuthenticator(options)
  return {
    jwks: authenticator.jwks,
    ready: () => authenticator.ready(),
    async verify<Services extends boolean>(
      request: ServiceRequest,
      { scope, serviceTokens }: VerifyOptions<Services> = {},
    ): Promise<Verdict<Services>> {
      try {
        const claims = await authenticator.authenticate(request, serviceTokens)
        if (scope !== undefined) checkScope(claims.scope, scope)
        return { claims }
      } catch (error) {
        return { refusal: refusalOf(toHttpError(error, request.log ?? options.logger)) }
      }
    },
  }
}

/** The answer that the `errors` middleware would write. */
export const refusalOf = ({ status, headers, body }: HttpError): Refusal => ({
  status,
  headers: {
    'Content-Type': 'application/json; charset=utf-8',
    'Cache-Control': 'no-store',
    ...headers,
  },
  body: JSON.stringify(body),
})
