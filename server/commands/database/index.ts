/** The entry point of `npm run database`. */
import { databaseLocation, loadConfig } from '../../config/config.ts'
import { databaseUrl } from '../../config/parsers.ts'
import { migrate } from '../../database/migrate.ts'
import { openDatabase } from '../../database/open.ts'
import { StartupError } from '../../errors/startup-error.ts'
import { features } from '../../features.ts'
import { runCommand, writeTo } from '../run-command.ts'
import { databaseCommand, type DatabaseAccess } from './database-command.ts'

await runCommand((args) => {
  const access: DatabaseAccess = {
    configured: loadConfig().database,
    toLocation(url) {
      const parsed = databaseUrl.safeParse(url)
      if (parsed.success) return databaseLocation(parsed.data)
      // Without the URL, which may hold a password.
      throw new StartupError(['--from and --to must be a file: or a postgres:// URL.'])
    },
    async open(location) {
      const database = await openDatabase(location)
      for (const { history } of features) {
        if (history !== undefined) await migrate(database, history)
      }
      return database
    },
  }
  return databaseCommand(args, access, writeTo(process.stdout))
})
