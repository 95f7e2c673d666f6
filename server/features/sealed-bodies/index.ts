import { JOSE } from '../../../protocol/sealed-bodies.ts'
import { oneOf } from '../../config/parsers.ts'
import { defineFeature } from '../../feature.ts'
import type { ReplayCache } from '../../limits/replay-cache.ts'
import { createSealing } from './sealing.ts'

/** Parts that the feature creates itself unless they are passed in. */
interface Parts {
  readonly replayCache?: ReplayCache
}

/**
 * Encrypts bodies from end to end: requests to the server, and answers to the client. A proxy that
 * terminates TLS can read neither.
 */
export function createSealedBodies(parts: Parts = {}) {
  return defineFeature({
    variables: {
      // `required` refuses secrets in bodies that are not sealed. Clients that do not seal cannot
      // sign in then.
      SEALED_BODIES: oneOf(['optional', 'required']).default('optional'),
    },
    create(core, { SEALED_BODIES: policy }) {
      // Not that of tokens: strangers can fill it, which must affect nothing but sealed bodies.
      const { replayCache = core.limitStore.createReplayCache() } = parts
      return {
        bodyType: JOSE,
        afterToken: createSealing(core, policy, replayCache),
        metadata: { sealed_bodies: policy },
      }
    },
  })
}

export const sealedBodies = createSealedBodies()
