import type { Next } from 'koa'
import { answerKeys } from '../discovery/answer-keys.ts'
import type { AppContext, AppMiddleware, ScopedState } from '../http/context.ts'
import { createAuthenticator, type ClaimsOf } from './authenticator.ts'
import type { ServiceAuthOptions } from './service-options.ts'

/** What `bearer()` puts on `ctx.state` for the handlers. */
export interface ClaimsState<Services extends boolean = false> extends ScopedState {
  claims: ClaimsOf<Services>
}

export interface BearerOptions<Services extends boolean = false> {
  /** Whether the token may be a service's, whose claims have no `sid`. By default, that is 403. */
  readonly serviceTokens?: Services
}

export interface ServiceAuth {
  /**
   * Answers `GET /.well-known/jwks.json` with this service's encryption key. Passes on other
   * requests.
   */
  jwks(): AppMiddleware
  /**
   * Lets a request through if its access token is valid, and puts the claims on `ctx.state.claims`.
   * Needs `requestId()`, `errors()` and `readBody()` before it.
   */
  bearer<Services extends boolean = false>(
    options?: BearerOptions<Services>,
  ): (ctx: AppContext<ClaimsState<Services>>, next: Next) => Promise<void>
  /** Fetches the auth server's keys before the first request. Resolves to `false` if that fails. */
  ready(): Promise<boolean>
}

/**
 * Lets a Koa service accept the auth server's access tokens: see `createVerifier`.
 *
 * @throws StartupError for an option that cannot be used.
 * @example
 * const logger = createLogger('info')
 * const issuer = 'https://auth.example.com'
 * const auth = await createServiceAuth({ issuer, url: 'https://notes.example.com', logger })
 * const app = new Koa()
 * app.use(requestId(logger)).use(errors()).use(auth.jwks()).use(readBody()).use(auth.bearer())
 * app.use((ctx) => {
 *   ctx.body = { hello: ctx.state.claims.sub }
 * })
 */
export async function createServiceAuth(options: ServiceAuthOptions): Promise<ServiceAuth> {
  const authenticator = await createAuthenticator(options)
  return {
    jwks: () =>
      async function jwks(ctx, next) {
        const isAsked = ctx.path === '/.well-known/jwks.json'
        if (isAsked && ['GET', 'HEAD'].includes(ctx.method)) answerKeys(ctx, authenticator.jwks)
        else await next()
      },
    bearer: <Services extends boolean>({ serviceTokens }: BearerOptions<Services> = {}) =>
      async function bearer(
        { method, originalUrl: url, req, state }: AppContext<ClaimsState<Services>>,
        next: Next,
      ) {
        // Without the body, its digest could not be checked.
        if (!Object.hasOwn(state, 'bodyBytes')) {
          throw new Error('bearer() needs requestId() and readBody() before it.')
        }
        const { bodyBytes: body, log } = state
        const headers = req.rawHeaders
        const request = { method, url, headers, body, log }
        state.claims = await authenticator.authenticate(request, serviceTokens)
        state.scope = state.claims.scope
        await next()
      },
    ready: () => authenticator.ready(),
  }
}
