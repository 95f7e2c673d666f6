import { setTimeout as sleep } from 'node:timers/promises'
import { createApp } from './app.ts'
import { createBackground } from './features/password-reset/background.ts'
import type { Config } from './config/config.ts'
import { openDatabase } from './database/open.ts'
import { createHttpServer, type HttpServer } from './http/http-server.ts'
import { followFolder } from './keystore/follow-folder.ts'
import { openKeystore } from './keystore/open-keystore.ts'
import type { Logger } from './log/logger.ts'
import { createMailer } from './features/password-reset/mailer/create-mailer.ts'
import { createRefusedTokens } from './log/refused-tokens.ts'
import { removeAllSessions } from './sessions/sessions.ts'
import { startSweeping } from './sessions/sweep.ts'
import { StartupError, together } from './config/startup-error.ts'

/** Milliseconds that requests in flight get to finish. */
const STOP_GRACE = 10_000

export interface RunningServer {
  readonly url: string
  /** Reads the key folder again, at once. Without preserved keys there is nothing to read. */
  reloadKeys(): Promise<void>
  /** Lets requests in flight finish, closes the database. */
  stop(): Promise<void>
}

/**
 * Opens the keys and the database, and listens.
 *
 * @param startedAt When the process began, and the one before it was gone: milliseconds since the epoch.
 * @throws StartupError with everything that keeps the server from starting.
 */
export async function startServer(
  config: Config,
  logger: Logger,
  startedAt = Date.now(),
): Promise<RunningServer> {
  const [{ keystore, warnings, source }, database] = await together(
    openKeystore(config),
    openDatabase(config.databaseFile),
  )
  for (const warning of warnings) logger.warn(warning)
  if (config.production && config.issuer.startsWith('http:')) {
    logger.warn(`ISSUER is ${config.issuer}: set it to the public https URL of the server.`)
  }
  const ageOfKeys = Date.now() - keystore.currentSince
  if (ageOfKeys > config.keyMaxAge * 1000) {
    logger.warn(
      `The keys are ${Math.floor(ageOfKeys / 86_400_000)} days old. Rotate them: npm run keys -- rotate`,
    )
  }
  let isServing = false
  const mailer = await createMailer(config, logger)
  const background = createBackground()
  const refusedTokens = createRefusedTokens(logger)
  // Requests may be bound to a second that has begun: with the same keys as before, this server
  // must not take what the last one may have seen, and so begins with a second of its own.
  const bindingsNotBefore = config.preserveSessions ? Math.ceil(startedAt / 1000) * 1000 : 0
  const app = createApp({
    config,
    keystore,
    database,
    logger,
    mailer,
    background,
    refusedTokens,
    bindingsNotBefore,
    isStopping: () => !isServing,
  })

  // Koa answers every rejection itself: there is nothing to wait for.
  const callback = app.callback()
  const server = createHttpServer((request, response) => void callback(request, response))
  await sleep(Math.max(0, bindingsNotBefore - Date.now()))
  const url = await listen(server, config).catch(async (error: unknown) => {
    await database.destroy()
    throw error
  })
  if (!config.preserveSessions) {
    // Their tokens were signed and encrypted with keys that are gone: nobody can prove them any more.
    // Not before the port is ours: a server that is running already keeps its sessions.
    const removed = await removeAllSessions(database)
    logger.info({ removed }, `sessions of the last run removed: ${removed}`)
  }
  isServing = true
  logger.info(
    {
      url,
      preserve_sessions: config.preserveSessions,
      database: config.databaseFile,
      node: process.version,
    },
    `Ready at ${url}. Sessions ${config.preserveSessions ? 'survive' : 'end with'} a reboot. Database: ${config.databaseFile}`,
  )
  const follower = source && followFolder(keystore, logger, source)
  const stopSweeping = startSweeping(database, logger, Date.now)
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
      refusedTokens.flush()
      await stopSweeping()
      // A mail server that does not answer must not keep this one from ending.
      await Promise.race([background.idle(), sleep(STOP_GRACE, undefined, { ref: false })])
      mailer.close()
      await database.destroy()
    },
  }
}

async function listen(server: HttpServer, { host, port }: Config): Promise<string> {
  try {
    const actualPort = await server.listen(port, host)
    return `http://${host.includes(':') ? `[${host}]` : host}:${actualPort}`
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new StartupError([
      code === 'EADDRINUSE'
        ? `Port ${port} of ${host} is taken by another process. Stop that one, or choose another PORT.`
        : `The server cannot listen on HOST ${host}, PORT ${port} (${code ?? 'unknown'}). Choose an address of this machine and a port that it may open.`,
    ])
  }
}
