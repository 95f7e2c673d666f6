import { z } from 'zod'
import type { Handler } from '../http/context.ts'
import { documented } from '../http/documented.ts'
import { isReachable } from '../database/open.ts'
import type { Core } from '../composition.ts'

const says = (status: string) => z.object({ status: z.literal(status) })

export function healthRoutes({ config, database, isServing, keystore, tokens }: Core) {
  /** Alive: the process runs. */
  const live: Handler = (ctx) => {
    ctx.body = { status: 'ok' }
  }

  /** Ready: the server can answer requests. */
  const ready: Handler = async (ctx) => {
    const isReady = isServing() && (await isReachable(database, ctx.state.log))
    const age = Math.floor((tokens.clock() - keystore.currentSince) / 1000)
    ctx.state.logged = {
      key_age_days: Math.floor(age / 86_400),
      key_overdue: age > config.keyMaxAge,
    }
    ctx.status = isReady ? 200 : 503
    ctx.body = { status: isReady ? 'ready' : 'unavailable' }
  }

  return {
    live: documented(live, { summary: 'Whether the process runs.', 200: says('ok') }),
    ready: documented(ready, {
      summary: 'Whether the server can answer requests.',
      200: says('ready'),
      503: says('unavailable'),
    }),
  }
}
