/** The entry point of `npm run clients`. */
import { runCommand, writeTo } from '../../../commands/run-command.ts'
import { loadConfig } from '../../../config/config.ts'
import { openConfigured } from '../../../open-database.ts'
import { opensDatabases } from '../../../feature.ts'
import { features } from '../../../features.ts'
import { createLogger } from '../../../log/logger.ts'
import { clientsCommand } from './clients-command.ts'

await runCommand((args) => {
  const config = loadConfig(features.filter(opensDatabases))
  return clientsCommand(args, {
    config,
    open: async () => (await openConfigured(config, features)).database,
    // The log goes to stderr, so that it does not mix with the result.
    logger: createLogger(config.logLevel, process.stderr),
    print: writeTo(process.stdout),
    note: writeTo(process.stderr),
  })
})
