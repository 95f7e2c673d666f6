/** The entry point of `npm run clients`. */
import { loadConfig } from '../../../config/config.ts'
import { openConfigured } from '../../../database/open.ts'
import { StartupError } from '../../../errors/startup-error.ts'
import { createLogger } from '../../../log/logger.ts'
import { clientsCommand } from './clients-command.ts'

const writeTo = (stream: NodeJS.WriteStream) => (line: string) => void stream.write(`${line}\n`)

try {
  const config = loadConfig()
  process.exitCode = await clientsCommand(process.argv.slice(2), {
    config,
    open: () => openConfigured(config),
    // The log goes to stderr, so that it does not mix with the result.
    logger: createLogger(config.logLevel, process.stderr),
    print: writeTo(process.stdout),
    note: writeTo(process.stderr),
  })
} catch (error) {
  if (!(error instanceof StartupError)) throw error
  error.problems.forEach(writeTo(process.stderr))
  process.exitCode = 1
}
