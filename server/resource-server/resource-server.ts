import { setTimeout as sleep } from 'node:timers/promises'
import type { Next } from 'koa'
import type { AppContext, AppMiddleware } from '../http/context.ts'
import { unavailable } from '../http/http-error.ts'
import { ENCRYPTION_ENCS } from '../../protocol/algorithms.ts'
import { bearer, requestOf } from '../http/bearer.ts'
import { answerKeys } from '../http/answer-keys.ts'
import { createRefusedTokens } from '../log/refused-tokens.ts'
import { createRequestBinding } from '../token/request-binding.ts'
import { createTokenCaches, type ReadingContext } from '../token/token-context.ts'
import { foreignAccessToken } from '../token/kinds.ts'
import { createReplayCache } from '../limits/replay-cache.ts'
import { invalid, KeysUnavailableError } from '../errors/token-error.ts'
import { rememberAgreement, validate } from '../token/validate.ts'
import type { ClaimsState, ServiceAuthOptions } from './service-options.ts'
import { createRemoteKeys } from './remote-keys.ts'
import { openServiceKey } from './service-key.ts'
import { checkServiceUrls } from './service-urls.ts'

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
  bearer(): (ctx: AppContext<ClaimsState>, next: Next) => Promise<void>
  /** Fetches the auth server's keys before the first request. Resolves to `false` if that fails. */
  ready(): Promise<boolean>
}

/**
 * Lets a service accept the auth server's access tokens. It needs the keys that the auth server
 * publishes, but no secret of it and no database. Clients encrypt each token to the service's own
 * key, for one request (docs/http-api.md, "Request binding").
 *
 * A service does not learn that a session has ended. It accepts a token until it expires: up to
 * ACCESS_TOKEN_TTL longer than the auth server. To refuse it earlier, use `isAlive`, for example
 * with a list of ended sessions (`claims.sid`).
 *
 * A service that decrypts a token could use it at the auth server, and at every other service that
 * accepts it. Clients must therefore list only services of the same owner.
 *
 * @throws StartupError for a URL or a key that cannot be used.
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
  const { issuer, url, logger, requestBinding = 'required', clock = Date.now } = options
  const { isAlive = () => true, fetch = globalThis.fetch, replayCache } = options
  checkServiceUrls(issuer, url)
  const key = await openServiceKey(options.encryptionKey)
  // With a kept key, an earlier process may have seen tokens that this one would accept again.
  const mayHaveSeen = options.encryptionKey !== undefined && replayCache === undefined
  const notBefore = mayHaveSeen ? Math.ceil(clock() / 1000) * 1000 : 0
  if (mayHaveSeen) await sleep(Math.max(0, notBefore - clock()))

  const keys = createRemoteKeys({ issuer, fetch, clock, logger })
  const context: ReadingContext = {
    issuer,
    clock,
    caches: createTokenCaches(clock),
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

  const authenticate = bearer<ClaimsState>(async (ctx, token) => {
    const valid = await read(token)
    const { claims, header } = valid
    if (!(await isAlive(claims))) throw invalid('session')
    // Last, so that a request that is refused for another reason is not used up.
    await binding.check(requestOf(ctx), header, claims)
    rememberAgreement(context, valid)
    ctx.state.claims = claims
    return claims.scope
  }, createRefusedTokens(logger))

  return {
    jwks: () =>
      async function jwks(ctx, next) {
        const isAsked = ctx.path === '/.well-known/jwks.json'
        if (isAsked && ['GET', 'HEAD'].includes(ctx.method)) {
          answerKeys(ctx, { keys: [key.publicJwk] })
        } else await next()
      },
    bearer: () =>
      async function bearer(ctx, next) {
        // Without the body, its digest could not be checked.
        if (!Object.hasOwn(ctx.state, 'bodyBytes')) {
          throw new Error('bearer() needs requestId() and readBody() before it.')
        }
        await authenticate(ctx, next)
      },
    ready: () => keys.reload(),
  }

  async function read(token: string) {
    try {
      return await validate(context, foreignAccessToken, token)
    } catch (error) {
      if (!(error instanceof KeysUnavailableError)) throw error
      // A 401 would sign the client out, but the token may be valid.
      throw unavailable(error.retryAfter, 'Tokens cannot be checked. Try again later.')
    }
  }
}
