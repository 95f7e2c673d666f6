/** The program: `npm start`. Everything that happens is called from here. */
import { constants } from 'node:os'
import { createHashThreads } from './passwords/hash-threads.ts'
import { createPasswordHasher } from './passwords/password-hash.ts'
import { loadConfig } from './config/config.ts'
import { features } from './features.ts'
import { createLogger } from './log/logger.ts'
import { startServer } from './start.ts'
import { StartupError } from './errors/startup-error.ts'

/**
 * Milliseconds within which a second signal belongs to the same key press: the terminal sends
 * Ctrl-C to npm and to this program, and npm forwards its own.
 */
const SAME_KEY_PRESS = 300

try {
  const config = loadConfig(features)
  const logger = createLogger(config.logLevel)
  process.on('exit', () => {
    logger.flush()
  })
  // Node would print every member of the error, and libraries put inputs there.
  const dieOf = (error: unknown) => {
    logger.fatal({ err: error }, 'unexpected error, exiting')
    process.exit(1)
  }
  process.on('uncaughtException', dieOf)
  process.on('unhandledRejection', dieOf)

  // SIGHUP must not kill the process before the keys are loaded.
  let reloadKeys = () => Promise.resolve()
  process.on('SIGHUP', () => void reloadKeys())

  const hashThreads = createHashThreads(logger)
  const server = await startServer(config, features, logger, {
    startedAt: performance.timeOrigin,
    passwords: createPasswordHasher({ argon2: hashThreads }),
    onFatal: dieOf,
  })
  reloadKeys = () => server.reloadKeys()

  let stoppingSince: number | undefined
  const stop = async (signal: NodeJS.Signals) => {
    if (stoppingSince !== undefined) {
      if (performance.now() - stoppingSince < SAME_KEY_PRESS) return
      process.exit(128 + constants.signals[signal])
    }
    stoppingSince = performance.now()
    logger.info({ signal }, 'stopping: requests in flight may finish')
    await server.stop()
    await hashThreads.stop()
    logger.info('stopped')
    process.exit(0)
  }
  process.on('SIGINT', (signal) => void stop(signal))
  process.on('SIGTERM', (signal) => void stop(signal))
} catch (error) {
  if (!(error instanceof StartupError)) throw error
  const list = error.problems.map((problem) => `  - ${problem}\n`).join('')
  process.stderr.write(`The server cannot start:\n\n${list}\n`)
  process.exitCode = 1
}
