/** The entry point of `npm run account`. */
import { loadConfig } from '../../config/config.ts'
import { openConfigured } from '../../open-database.ts'
import { opensDatabases } from '../../feature.ts'
import { features } from '../../features.ts'
import { createLogger } from '../../log/logger.ts'
import { runCommand, writeTo } from '../run-command.ts'
import { accountCommand } from './account-command.ts'

await runCommand((args) => {
  const config = loadConfig(features.filter(opensDatabases))
  return accountCommand(args, {
    open: async () => (await openConfigured(config, features)).database,
    // The log goes to stderr, so that it does not mix with the result.
    logger: createLogger(config.logLevel, process.stderr),
    print: writeTo(process.stdout),
    note: writeTo(process.stderr),
  })
})
