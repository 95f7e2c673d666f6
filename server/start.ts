import { setTimeout as sleep } from 'node:timers/promises'
import { createPasswordHasher, type PasswordHasher } from './passwords/password-hash.ts'
import { createApp } from './app.ts'
import { createClosers } from './closers.ts'
import { compose, type Core } from './composition.ts'
import type { Config } from './config/config.ts'
import { openConfigured } from './open-database.ts'
import { migrate } from './database/migrate.ts'
import { describeDatabase } from './database/location.ts'
import { lockDatabase } from './database/server-lock.ts'
import { StorageError } from './database/storage-error.ts'
import type { Feature, FeatureParts } from './feature.ts'
import { createHttpServer } from './listener/http-server.ts'
import { listen } from './listener/listen.ts'
import { recordSigningKey } from './commands/keys/record-signing-key.ts'
import { followFolder } from './keystore/follow-folder.ts'
import { openKeystore } from './keystore/open-keystore.ts'
import type { Logger } from './log/logger.ts'
import { removeAllSessions } from './sessions/end-sessions.ts'
import { startWarnings } from './start-warnings.ts'
import { startSweeping, sweepExpired } from './sweep-expired.ts'
import { StartupError, together } from './errors/startup-error.ts'

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
 * Opens the keys and the database, and listens. If a step fails, closes what the steps before it
 * have opened.
 *
 * @throws StartupError with everything that keeps the server from starting.
 */
export async function startServer(
  config: Config,
  features: readonly Feature[],
  logger: Logger,
  options: StartOptions = {},
): Promise<RunningServer> {
  const closers = createClosers()
  try {
    return await start(config, features, logger, options, closers)
  } catch (error) {
    // A failure to close must not hide the original error.
    await closers.close().catch(() => undefined)
    if (!(error instanceof StorageError)) throw error
    throw new StartupError([
      `The database ${describeDatabase(config.database)} cannot be written (${error.code}). Check that it can be reached, that its disk is not full, and that nothing else keeps it locked.`,
    ])
  }
}

/** The steps of a start. Each adds how to close what it has opened. */
async function start(
  config: Config,
  features: readonly Feature[],
  logger: Logger,
  options: StartOptions,
  closers: ReturnType<typeof createClosers>,
): Promise<RunningServer> {
  const { clock = Date.now, passwords = createPasswordHasher() } = options
  const { startedAt = clock(), onFatal = fail } = options
  const [{ keystore, warnings, source }, opened] = await together(
    openKeystore(config, recordSigningKey, clock()),
    openConfigured(config, features).then((opened) => {
      closers.add(() => opened.database.destroy())
      return opened
    }),
  )
  const { database } = opened
  closers.add(await lockDatabase(opened.takeLock, !config.preserveSessions, onFatal))
  for (const warning of [...warnings, ...startWarnings(config, keystore.currentSince, clock())]) {
    logger.warn(warning)
  }

  let isServing = false
  // With preserved keys, a binding that the last server saw must not be accepted again, unless the
  // database remembers it. The `iat` of a binding is in whole seconds, so this server accepts
  // bindings from the next full second on.
  const forgets = config.preserveSessions && opened.limitStore === undefined
  const bindingsNotBefore = forgets ? Math.ceil(startedAt / 1000) * 1000 : 0
  const core = compose({
    ...opened,
    config,
    keystore,
    logger,
    clock,
    passwords,
    bindingsNotBefore,
    isServing: () => isServing,
  })
  closers.add(core.refusedTokens.flush)
  const parts = await createFeatures(core, features, closers)
  // Added before the server, so that the server stops first and does not wait for a sweep.
  let stopSweeping = () => Promise.resolve()
  closers.add(() => stopSweeping())

  // Koa handles every rejection itself.
  const callback = createApp(core, parts).callback()
  const server = createHttpServer((request, response) => void callback(request, response))
  closers.add(() => server.stop(STOP_GRACE))
  await sleep(Math.max(0, bindingsNotBefore - clock()))
  const [url] = await together(
    listen(server, config),
    ...parts.map(async (feature) => feature.listen?.()),
  )
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
  closers.add(() => follower?.stop())
  const sweeps = parts.flatMap(({ sweep }) => sweep ?? [])
  stopSweeping = startSweeping([(now) => sweepExpired(database, now), ...sweeps], logger, clock)
  closers.add(() => (isServing = false))
  return {
    url,
    async reloadKeys() {
      if (follower === undefined) logger.info('the keys are in memory: there is nothing to reload')
      await follower?.reload()
    },
    stop: () => closers.close(),
  }
}

function fail(error: Error): never {
  throw error
}

/**
 * Brings each feature's tables up to date, and starts it.
 *
 * @param closers Learns how to stop it.
 */
export async function createFeatures(
  core: Core,
  features: readonly Feature[],
  closers = createClosers(),
): Promise<FeatureParts[]> {
  const parts: FeatureParts[] = []
  for (const feature of features) {
    if (feature.history !== undefined) await migrate(core.database, feature.history)
    const part = await feature.create(core, core.config.featureVariables)
    closers.add(() => part.stop?.())
    parts.push(part)
  }
  return parts
}
