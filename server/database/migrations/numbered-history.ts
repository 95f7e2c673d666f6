import { sql, type Kysely, type Migration } from 'kysely'
import { StartupError } from '../../errors/startup-error.ts'

/**
 * The first release numbered its migrations and kept the numbers in the table `migrations`. It had
 * this many.
 */
export const NUMBERED_MIGRATIONS = 2

/** The version of a database of the first release, or `undefined` for any other. */
export async function findNumberedVersion(db: Kysely<unknown>): Promise<number | undefined> {
  const tables = await db.introspection.getTables()
  const table = tables.find(({ name }) => name === 'migrations')
  // A table of that name with other columns belongs to somebody else.
  if (table?.columns.map(({ name }) => name).join() !== 'version') return undefined
  const { rows } = await sql<{ version: number | null }>`
    select max(version) as version from migrations`.execute(db)
  return rows[0]?.version ?? 0
}

/**
 * A migration that the first release knew by `number`: recorded, but not run again on a database
 * that has it.
 */
export function numbered(number: number, migration: Migration): Migration {
  return {
    async up(db: Kysely<unknown>) {
      const version = (await findNumberedVersion(db)) ?? 0
      if (version > NUMBERED_MIGRATIONS) {
        throw new StartupError([
          `The database is of version ${version}, and this server knows up to ${NUMBERED_MIGRATIONS}. Run the server that made it, or restore a backup from before it.`,
        ])
      }
      if (version < number) await migration.up(db)
    },
  }
}
