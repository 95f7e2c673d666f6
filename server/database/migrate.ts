import { Migrator, type Kysely, type Migration } from 'kysely'
import { StartupError } from '../errors/startup-error.ts'
import type { Schema } from './schema.ts'

/** Migrations that build on each other, and the table that records which of them have run. */
export interface History {
  /** A feature's history has a table of its own, so that the feature can be removed. */
  readonly table: string
  /** By name. They run in the order of their names. */
  readonly migrations: Readonly<Record<string, Migration>>
}

/**
 * Runs the migrations that the database does not have yet, all in one transaction.
 *
 * @throws StartupError for a database that a newer version of the server has changed.
 */
export async function migrate(db: Kysely<Schema>, { table, migrations }: History): Promise<void> {
  const migrator = new Migrator({
    db,
    provider: { getMigrations: () => Promise.resolve(migrations) },
    migrationTableName: table,
    // Kysely judges the order by the wall clock of each run, so a clock that was set back would stop
    // every later start.
    allowUnorderedMigrations: true,
  })
  const { error } = await migrator.migrateToLatest()
  if (error === undefined) return
  const unknown = (await executedMigrations(db, table)).filter(
    (name) => !Object.hasOwn(migrations, name),
  )
  if (unknown.length > 0) {
    throw new StartupError([
      `The database has migrations that this server does not know (${unknown.join(', ')}). Run the newer server, or restore a backup from before it.`,
    ])
  }
  throw error as Error
}

async function executedMigrations(db: Kysely<Schema>, table: string): Promise<string[]> {
  const tables = await db.introspection.getTables({ withInternalKyselyTables: true })
  if (!tables.some(({ name }) => name === table)) return []
  const rows = await db
    .withTables<Record<string, { name: string }>>()
    .selectFrom(table)
    .select('name')
    .orderBy('name')
    .execute()
  return rows.map(({ name }) => name)
}
