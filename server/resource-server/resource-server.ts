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
  /** Answers `GET /.well-known/jwks.json` with this service's encryption key; no other request. */
  jwks(): AppMiddleware
  /**
   * Lets a request through whose access token is good, and puts its claims on `ctx.state.claims`.
   * Needs `requestId()`, `errors()` and `readBody()` before it.
   */
  bearer(): (ctx: AppContext<ClaimsState>, next: Next) => Promise<void>
  /** Fetches the auth server's keys ahead of the first request; `false` while they cannot be had. */
  ready(): Promise<boolean>
}

/**
 * What a service needs to take the auth server's access tokens: no secret and no database of the auth
 * server, only the keys that it publishes. Clients seal a token to the service's own key, for one
 * request each (docs/http-api.md, "Request binding").
 *
 * What it cannot know: that a session has ended. A token is good here until it expires, for up to
 * ACCESS_TOKEN_TTL longer than at the auth server. Who needs more answers it in `isAlive`, from a
 * list of ended sessions (`claims.sid`) for instance.
 *
 * What its owner must know: a service that opens a token holds it, and could use it at the auth server
 * and at every other service that takes it. Clients must list only services of the same owner.
 *
 * @throws StartupError for a URL or a key that cannot be used.
 */
export async function createServiceAuth(options: ServiceAuthOptions): Promise<ServiceAuth> {
  const { issuer, url, logger, requestBinding = 'required', clock = Date.now } = options
  const { isAlive = () => true, fetch = globalThis.fetch, replayCache } = options
  checkServiceUrls(issuer, url)
  const key = await openServiceKey(options.encryptionKey)
  // A process before this one may have seen what was sealed to a key that is kept.
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
    // Last: a request that is refused for another reason has not been used up.
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
        // A body that nobody has read here is one that no digest is held against.
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
      // Nothing is known of the token: neither is it let through nor is anybody signed out.
      throw unavailable(error.retryAfter, 'Tokens cannot be checked. Try again later.')
    }
  }
}
