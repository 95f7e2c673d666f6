import type { Core } from '../../composition.ts'
import { TooManyTries } from '../../errors/too-many-tries.ts'
import { UnavailableError } from '../../errors/unavailable-error.ts'
import type { AppContext } from '../../http/context.ts'
import { addressKey } from '../../limits/client-address.ts'
import type { ReplayCache } from '../../limits/replay-cache.ts'
import { audit } from '../../log/audit.ts'
import { bodyRefused, type SealedBody } from './open-body.ts'

/** Seconds after which there may be space for new bodies. */
const FULL_FOR = 60

/** Creates a function that accepts each sealed body once. */
export function createAcceptOnce({ clock }: Pick<Core, 'clock'>, replayCache: ReplayCache) {
  /**
   * @throws HttpError 400 if the body was accepted before; UnavailableError if the memory is full or lost;
   *   TooManyTries if this sender has filled its share.
   */
  return async function acceptOnce(ctx: AppContext, { binding, ath }: SealedBody): Promise<void> {
    const claims = ctx.state.token?.claims
    const source = addressKey(ctx.ip)
    const { jti, iat } = binding
    const id = `sealed ${ath ?? ''} ${jti}`
    switch (await replayCache.remember(id, clock(), claims?.sub ?? source, iat * 1000)) {
      case 'new':
        return
      case 'seen': {
        const ids = { account_id: claims?.sub, session_id: claims?.sid }
        audit(ctx.state.log, 'request_replayed', { ...ids, client_id: claims?.client_id, source })
        throw bodyRefused()
      }
      case 'forgotten':
        throw new UnavailableError('the replay memory of sealed bodies was lost', 1)
      case 'full':
        throw new UnavailableError('the replay memory of sealed bodies is full', FULL_FOR)
      case 'account_full':
        throw new TooManyTries('requests', FULL_FOR)
    }
  }
}
