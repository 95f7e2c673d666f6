import { defineFeature } from '../../server/feature.ts'
import { HttpError } from '../../server/http/http-error.ts'

/**
 * A feature that refuses every body that holds a secret: shows which handlers are marked.
 *
 * @param isRefusing Whether it does so now.
 */
export const refuseSecrets = (isRefusing = () => true) =>
  defineFeature({
    create: () => ({
      async afterToken(ctx, next) {
        ctx.state.bodyRules = {
          acceptSecret() {
            if (isRefusing()) throw new HttpError('sealed_body_required', 'No secret is accepted.')
          },
        }
        await next()
      },
    }),
  })
