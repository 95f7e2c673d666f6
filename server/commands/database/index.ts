/** The entry point of `npm run database`. */
import { databaseLocation, loadConfig } from '../../config/config.ts'
import { databaseUrl } from '../../config/parsers.ts'
import { kindOf, openConfigured } from '../../open-database.ts'
import { migrate } from '../../database/migrate.ts'
import { StartupError } from '../../errors/startup-error.ts'
import { opensDatabases } from '../../feature.ts'
import { features } from '../../features.ts'
import { runCommand, writeTo } from '../run-command.ts'
import { databaseCommand, type DatabaseAccess } from './database-command.ts'

await runCommand((args) => {
  const config = loadConfig(features.filter(opensDatabases))
  const access: DatabaseAccess = {
    configured: config.database,
    toLocation(url) {
      const parsed = databaseUrl(features.flatMap(({ database }) => database ?? [])).safeParse(url)
      if (parsed.success) return databaseLocation(parsed.data)
      // Without the URL, which may hold a password.
      throw new StartupError(
        parsed.error.issues.map(({ message }) => `--from and --to ${message}.`),
      )
    },
    kindOf: (location) => kindOf(location, features),
    async open(location) {
      const opened = await openConfigured(config, features, location)
      for (const { history } of features) {
        if (history !== undefined) await migrate(opened.database, history)
      }
      return opened
    },
  }
  return databaseCommand(args, access, writeTo(process.stdout), writeTo(process.stderr))
})
