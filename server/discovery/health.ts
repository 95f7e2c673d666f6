import type { Handler } from '../http/context.ts'
import { isReachable } from '../database/open.ts'
import type { Core } from '../composition.ts'

export function healthRoutes({ config, database, isStopping, keystore, tokens }: Core) {
  /** Alive: the process runs. */
  const live: Handler = (ctx) => {
    ctx.body = { status: 'ok' }
  }

  /** Ready: the server can answer requests. */
  const ready: Handler = async (ctx) => {
    const isReady = !isStopping() && (await isReachable(database, ctx.state.log))
    const age = Math.floor((tokens.clock() - keystore.currentSince) / 1000)
    ctx.state.logged = {
      key_age_days: Math.floor(age / 86_400),
      key_overdue: age > config.keyMaxAge,
    }
    ctx.status = isReady ? 200 : 503
    ctx.body = { status: isReady ? 'ready' : 'unavailable' }
  }

  return { live, ready }
}
