import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { PROJECT_ROOT } from '../../config/config.ts'
import { defineFeature } from '../../feature.ts'
import { secretBody } from '../../http/route-table.ts'
import { rateLimit } from '../../http/rate-limit.ts'
import { createRateLimits } from '../../limits/rate-limits.ts'
import { createBackground, type Background } from './background.ts'
import { createMailer } from './mailer/create-mailer.ts'
import type { Mailer } from './mailer/mailer.ts'
import { createPasswordResets } from './password-resets.ts'
import { resetRoutes } from './routes.ts'
import { contradictions, variables } from './variables.ts'

/** Where messages are written without SMTP, for development. */
const MAIL_FOLDER = join(PROJECT_ROOT, 'data', 'mail')
/** Milliseconds to wait at shutdown for the mail server to accept the last messages. */
const STOP_GRACE = 10_000

/** Parts that the feature creates itself unless they are passed in. */
interface Parts {
  readonly mailer?: Mailer
  readonly background?: Background
}

/** Lets people who forgot their password set a new one, with a token sent by mail. */
export function createPasswordReset(parts: Parts = {}) {
  return defineFeature({
    variables,
    contradictions: (_values, isSet) => contradictions(isSet),
    async create(core, { SMTP_URL: url, MAIL_FROM: from, RATE_LIMIT_RESET: reset }) {
      const { config, logger } = core
      const smtp = url === undefined || from === undefined ? undefined : { url, from }
      const mailer =
        parts.mailer ??
        (await createMailer({ smtp, folder: MAIL_FOLDER, production: config.production }, logger))
      const background = parts.background ?? createBackground()
      const resets = createPasswordResets(core, mailer, background)
      const limits = createRateLimits({ reset }, core.limitStore.createLimiter)
      const { request, complete } = resetRoutes(core, resets, limits)
      return {
        routes: ({ open }) => {
          open('POST', '/account/password-reset', rateLimit(limits, 'reset'), request)
          const tokenLimit = rateLimit(limits, 'reset', 'token')
          open('PUT', '/account/password-reset', tokenLimit, secretBody(complete))
        },
        sweep: resets.sweep,
        async stop() {
          // An unresponsive mail server must not keep this server from stopping.
          await Promise.race([background.idle(), sleep(STOP_GRACE, undefined, { ref: false })])
          mailer.close()
        },
      }
    },
  })
}

export const passwordReset = createPasswordReset()
