import { audit } from '../log/audit.ts'
import type { AppContext } from '../http/context.ts'
import { HttpError } from '../http/http-error.ts'
import { TooManyTries } from '../limits/too-many-tries.ts'
import { checkBinding } from './binding.ts'
import type { ReplayCache } from './replay-cache.ts'
import { invalid } from './token-error.ts'

/** Seconds after which there may be room for new requests. */
const FULL_FOR = 60

interface BindingPolicy {
  /** The public URL of whoever takes the requests, as clients see it: the issuer's, or a service's own. */
  readonly issuer: string
  readonly requestBinding: 'optional' | 'required'
  readonly clock: () => number
  /** Milliseconds since the epoch: see BoundRequest. */
  readonly notBefore: number
  readonly replayCache: ReplayCache
}

/** Whose token it is. */
interface BoundClaims {
  readonly jti: string
  readonly sub: string
  readonly sid?: string
  readonly client_id?: string
}

/** Holds a token's `req` header parameter against the request that it came with. */
export interface RequestBinding {
  /**
   * @param header The protected header of the token's JWE.
   * @param claims Those of the JWT inside. A replay is audited with them.
   * @param place Where the token stands: one in the body is not required to be bound, because it
   *   is good for one use, and its binding has no digest.
   * @throws TokenError; HttpError 503 when there is no room to remember the request; TooManyTries when
   *   there is none for more of the same account.
   */
  check(
    ctx: AppContext,
    header: Readonly<Record<string, unknown>>,
    claims: BoundClaims,
    place?: 'header' | 'body',
  ): Promise<void>
}

export function createRequestBinding(policy: BindingPolicy): RequestBinding {
  const { issuer, requestBinding, clock, notBefore, replayCache } = policy
  return {
    async check(ctx, header, claims, place = 'header') {
      if (!Object.hasOwn(header, 'req')) {
        if (requestBinding === 'required' && place === 'header') throw invalid('req_missing')
        return
      }
      const now = clock()
      const { jti } = checkBinding(header['req'], {
        method: ctx.method,
        url: issuer + ctx.path,
        body: place === 'header' ? ctx.state.bodyBytes : undefined,
        now,
        notBefore,
      })
      switch (await replayCache.remember(`${claims.jti} ${jti}`, now, claims.sub)) {
        case 'new':
          return
        case 'seen':
          audit(ctx.state.log, 'request_replayed', {
            account_id: claims.sub,
            session_id: claims.sid,
            client_id: claims.client_id,
          })
          throw invalid('req_replayed')
        case 'full':
          throw new HttpError('temporarily_unavailable', 'The server is busy. Try again later.', {
            headers: { 'Retry-After': String(FULL_FOR) },
          })
        case 'account_full':
          throw new TooManyTries('requests', FULL_FOR)
      }
    },
  }
}
