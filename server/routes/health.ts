import { isReachable, type Database } from '../database/open.ts'
import type { Handler } from '../context.ts'

interface HealthDependencies {
  readonly database: Database
  readonly isStopping: () => boolean
}

export function healthRoutes({ database, isStopping }: HealthDependencies) {
  /** Alive: the process runs. */
  const live: Handler = (ctx) => {
    ctx.body = { status: 'ok' }
  }

  /** Ready: it makes sense to send requests here. */
  const ready: Handler = async (ctx) => {
    const isReady = !isStopping() && (await isReachable(database))
    ctx.status = isReady ? 200 : 503
    ctx.body = { status: isReady ? 'ready' : 'unavailable' }
  }

  return { live, ready }
}
