import { createApp } from './app.ts'
import type { Config } from './config.ts'
import { openDatabase } from './database/open.ts'
import { createHttpServer, type HttpServer } from './http-server.ts'
import { openKeystore } from './keystore/keystore.ts'
import type { Logger } from './logger.ts'
import { removeAllSessions } from './sessions/sessions.ts'
import { StartupError, together } from './startup-error.ts'

/** Milliseconds that requests in flight get to finish. */
const STOP_GRACE = 10_000

export interface RunningServer {
  readonly url: string
  /** Lets requests in flight finish, closes the database. */
  stop(): Promise<void>
}

/**
 * Opens the keys and the database, and listens.
 *
 * @throws StartupError with everything that keeps the server from starting.
 */
export async function startServer(config: Config, logger: Logger): Promise<RunningServer> {
  const [{ keystore, warnings }, database] = await together(
    openKeystore(config),
    openDatabase(config.databaseFile),
  )
  for (const warning of warnings) logger.warn(warning)
  if (config.production && config.issuer.startsWith('http:')) {
    logger.warn(`ISSUER is ${config.issuer}: set it to the public https URL of the server.`)
  }
  let isServing = false
  const app = createApp({ config, keystore, database, logger, isStopping: () => !isServing })
  // Koa answers every rejection itself: there is nothing to wait for.
  const callback = app.callback()
  const server = createHttpServer((request, response) => void callback(request, response))
  const url = await listen(server, config).catch(async (error: unknown) => {
    await database.destroy()
    throw error
  })
  if (!config.preserveSessions) {
    // Their tokens were signed and encrypted with keys that are gone: nobody can prove them any more.
    // Not before the port is ours: a server that is running already keeps its sessions.
    const removed = await removeAllSessions(database)
    logger.info({ removed }, `removed ${removed} sessions of the last run`)
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
  return {
    url,
    async stop() {
      isServing = false
      await server.stop(STOP_GRACE)
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
