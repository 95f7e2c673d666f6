import { TooManyTries } from '../errors/too-many-tries.ts'
import { UnavailableError } from '../errors/unavailable-error.ts'
import { checkBinding } from './check-binding.ts'
import type { ReplayCache } from '../limits/replay-cache.ts'
import { invalid } from '../errors/token-error.ts'

/** Seconds after which there may be room for new requests. */
const FULL_FOR = 60

interface BindingPolicy {
  /** The URL at which clients reach this server or service. */
  readonly publicUrl: string
  readonly requestBinding: 'optional' | 'required'
  readonly clock: () => number
  /** Bindings from before this are refused: see `check-binding.ts`. Milliseconds since the epoch. */
  readonly notBefore: number
  readonly replayCache: ReplayCache
}

/** The request that a token came with. */
export interface IncomingRequest {
  readonly method: string
  readonly path: string
  readonly body: Uint8Array
  /** Called for a replay before it is refused. */
  readonly onReplay: (claims: BoundClaims) => void
}

/** The claims that identify the owner of the token. */
export interface BoundClaims {
  readonly jti: string
  readonly sub: string
  readonly sid?: string | undefined
  readonly client_id?: string
}

/** Checks that a token's `req` header parameter matches the request that it came with. */
export function createRequestBinding(policy: BindingPolicy) {
  const { publicUrl, requestBinding, clock, notBefore, replayCache } = policy
  return {
    /**
     * @param header The protected header of the token's JWE.
     * @param claims The claims of the JWT inside, with which a replay is reported.
     * @param place Where the token is. A token in the body needs no binding, because it is used
     *   only once, and its binding has no digest.
     * @throws TokenError; UnavailableError if there is no room to remember the request;
     *   TooManyTries if the account has used up its share of the room.
     */
    async check(
      request: IncomingRequest,
      header: Readonly<Record<string, unknown>>,
      claims: BoundClaims,
      place: 'header' | 'body' = 'header',
    ): Promise<void> {
      if (!Object.hasOwn(header, 'req')) {
        if (requestBinding === 'required' && place === 'header') throw invalid('req_missing')
        return
      }
      const now = clock()
      const { jti, iat } = checkBinding(header['req'], {
        method: request.method,
        url: publicUrl + request.path,
        body: place === 'header' ? request.body : undefined,
        now,
        notBefore,
      })
      switch (await replayCache.remember(`${claims.jti} ${jti}`, now, claims.sub, iat * 1000)) {
        case 'new':
          return
        case 'seen':
          request.onReplay(claims)
          throw invalid('req_replayed')
        case 'forgotten':
          throw invalid('req_before_start')
        case 'full':
          throw new UnavailableError('the replay memory is full', FULL_FOR)
        case 'account_full':
          throw new TooManyTries('requests', FULL_FOR)
      }
    },
  }
}
