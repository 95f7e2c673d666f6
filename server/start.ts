import { setTimeout as sleep } from 'node:timers/promises'
import { createPasswordHasher, type PasswordHasher } from './hashing/password-hash.ts'
import { createApp } from './app.ts'
import { compose } from './composition.ts'
import type { Config } from './config/config.ts'
import type { Core } from './composition.ts'
import { openConfigured } from './database-kind.ts'
import { migrate } from './database/migrate.ts'
import { describeDatabase } from './database/location.ts'
import { lockDatabase } from './database/server-lock.ts'
import type { Feature, FeatureParts } from './feature.ts'
import { createHttpServer } from './http/http-server.ts'
import { listen } from './http/listen.ts'
import { recordSigningKey } from './commands/keys/record-signing-key.ts'
import { followFolder } from './keystore/follow-folder.ts'
import { openKeystore } from './keystore/open-keystore.ts'
import type { Logger } from './log/logger.ts'
import { removeAllSessions } from './sessions/sessions.ts'
import { startSweeping, sweepExpired } from './sessions/sweep.ts'
import { together } from './errors/startup-error.ts'

/** Milliseconds that requests in flight get to finish. */
const STOP_GRACE = 10_000

export interface RunningServer {
  readonly url: string
  /** Reads the key folder again now. Without preserved keys, there is nothing to read. */
  reloadKeys(): Promise<void>
  /** Lets requests in flight finish, then closes the database. */
  stop(): Promise<void>
}

export interface StartOptions {
  /** Milliseconds since the epoch; the system's clock by default. */
  readonly clock?: () => number
  /**
   * When this process began, in milliseconds since the epoch. The previous one had ended by then.
   */
  readonly startedAt?: number
  /** By default, one without threads of its own. */
  readonly passwords?: PasswordHasher
  /** Called if the server cannot go on; by default, the error is thrown. */
  readonly onFatal?: (error: Error) => void
}

/**
 * Opens the keys and the database, and listens.
 *
 * @throws StartupError with everything that keeps the server from starting.
 */
export async function startServer(
  config: Config,
  features: readonly Feature[],
  logger: Logger,
  options: StartOptions = {},
): Promise<RunningServer> {
  const { clock = Date.now, passwords = createPasswordHasher() } = options
  const { startedAt = clock(), onFatal = fail } = options
  const [{ keystore, warnings, source }, opened] = await together(
    openKeystore(config, recordSigningKey, clock()),
    openConfigured(config, features),
  )
  const { database, takeLock } = opened
  const closing = async (error: unknown) => {
    await database.destroy()
    throw error
  }
  const lock = await lockDatabase(takeLock, !config.preserveSessions, onFatal).catch(closing)
  const releasing = async (error: unknown) => {
    await lock.release()
    return closing(error)
  }
  for (const warning of warnings) logger.warn(warning)
  if (config.production && config.publicUrl.startsWith('http:')) {
    logger.warn(`ISSUER is ${config.publicUrl}: set it to the public https URL of the server.`)
  }
  if (config.production && !config.preserveSessions) {
    logger.warn(
      'PRESERVE_SESSIONS_ON_REBOOT is 0: every restart signs everybody out. Set it to 1 in production.',
    )
  }
  const ageOfKeys = clock() - keystore.currentSince
  if (ageOfKeys > config.keyMaxAge * 1000) {
    logger.warn(
      `The keys are ${Math.floor(ageOfKeys / 86_400_000)} days old. Rotate them: npm run keys -- rotate`,
    )
  }
  let isServing = false
  // With preserved keys, a binding that the last server saw must not be accepted again, unless the
  // database remembers it. Bindings count whole seconds, so this server accepts them from the next
  // one on.
  const forgets = config.preserveSessions && opened.limitStore === undefined
  const bindingsNotBefore = forgets ? Math.ceil(startedAt / 1000) * 1000 : 0
  const isStopping = () => !isServing
  const core = compose({
    ...opened,
    ...{ config, keystore, logger, clock, passwords },
    ...{ bindingsNotBefore, isStopping },
  })
  const parts = await createFeatures(core, features).catch(releasing)
  const app = createApp(core, parts)

  // Koa handles every rejection itself.
  const callback = app.callback()
  const server = createHttpServer((request, response) => void callback(request, response))
  await sleep(Math.max(0, bindingsNotBefore - clock()))
  const stopFeatures = async () => {
    for (const { stop } of parts) await stop?.()
  }
  const [url] = await together(
    listen(server, config),
    ...parts.map(async (feature) => feature.listen?.()),
  ).catch(async (error: unknown) => {
    await server.stop(0)
    await stopFeatures()
    return releasing(error)
  })
  if (!config.preserveSessions) {
    // The keys of their tokens are gone, so nobody can use these sessions any more.
    const removed = await removeAllSessions(database)
    logger.info({ removed }, `sessions of the last run removed: ${removed}`)
  }
  isServing = true
  logger.info(
    {
      url,
      preserve_sessions: config.preserveSessions,
      database: describeDatabase(config.database),
      node: process.version,
    },
    `Ready at ${url}. Sessions ${config.preserveSessions ? 'survive' : 'end with'} a reboot. Database: ${describeDatabase(config.database)}`,
  )
  const follower = source && followFolder(keystore, logger, source, clock)
  const sweeps = parts.flatMap(({ sweep }) => (sweep === undefined ? [] : [sweep]))
  const stopSweeping = startSweeping(
    [(now) => sweepExpired(database, now), ...sweeps],
    logger,
    core.clock,
  )
  return {
    url,
    async reloadKeys() {
      if (follower === undefined) logger.info('the keys are in memory: there is nothing to reload')
      await follower?.reload()
    },
    async stop() {
      isServing = false
      follower?.stop()
      await server.stop(STOP_GRACE)
      core.refusedTokens.flush()
      await stopSweeping()
      await stopFeatures()
      await lock.release()
      await database.destroy()
    },
  }
}

function fail(error: Error): never {
  throw error
}

/** Brings each feature's tables up to date, and starts it. */
export async function createFeatures(
  core: Core,
  features: readonly Feature[],
): Promise<FeatureParts[]> {
  const parts: FeatureParts[] = []
  for (const { history, create } of features) {
    if (history !== undefined) await migrate(core.database, history)
    parts.push(await create(core, core.config.featureVariables))
  }
  return parts
}
