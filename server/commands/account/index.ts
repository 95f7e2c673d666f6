/** The entry point of `npm run account`. */
import { loadConfig } from '../../config/config.ts'
import { openConfigured } from '../../database/open.ts'
import { createLogger } from '../../log/logger.ts'
import { StartupError } from '../../errors/startup-error.ts'
import { accountCommand } from './account-command.ts'

try {
  const config = loadConfig()
  process.exitCode = await accountCommand(
    process.argv.slice(2),
    () => openConfigured(config),
    // The log goes to stderr, so that it does not mix with the result.
    createLogger(config.logLevel, process.stderr),
    (line) => {
      process.stdout.write(`${line}\n`)
    },
  )
} catch (error) {
  if (!(error instanceof StartupError)) throw error
  process.stderr.write(error.problems.map((problem) => `${problem}\n`).join(''))
  process.exitCode = 1
}
