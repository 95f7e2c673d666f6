import { PostgresAdapter, sql, type Kysely } from 'kysely'
import type { Config } from '../config/config.ts'
import type { Logger } from '../log/logger.ts'
import { isPostgresUrl } from './location.ts'
import { openPostgres } from './postgres.ts'
import type { Schema } from './schema.ts'
import { openSqlite } from './sqlite.ts'

export type Database = Kysely<Schema>

type DatabaseConfig = Pick<Config, 'database' | 'databasePoolSize' | 'databaseTimeout'>

interface DatabaseOptions {
  /** The most connections to PostgreSQL. */
  readonly poolSize?: number
  /** Milliseconds that a statement may wait or take. */
  readonly timeout?: number
}

/**
 * Opens the database and runs its migrations.
 *
 * @param location The absolute path of a SQLite file, `:memory:`, or a PostgreSQL URL.
 * @throws StartupError if it cannot be opened or written.
 */
export const openDatabase = (
  location: string,
  { poolSize = 10, timeout = 5000 }: DatabaseOptions = {},
): Promise<Database> =>
  isPostgresUrl(location)
    ? openPostgres(location, { poolSize, timeout })
    : openSqlite(location, timeout)

/** Opens the database of the configuration. */
export const openConfigured = (config: DatabaseConfig): Promise<Database> =>
  openDatabase(config.database, {
    poolSize: config.databasePoolSize,
    timeout: config.databaseTimeout * 1000,
  })

/**
 * Whether several servers can share the database. If so, they also share their state through it.
 */
export const isShared = (db: Database): boolean =>
  db.getExecutor().adapter instanceof PostgresAdapter

/** Whether the database answers. If not, the log says why. */
export async function isReachable(db: Database, log: Logger): Promise<boolean> {
  try {
    await sql`select 1`.execute(db)
    return true
  } catch (error) {
    log.warn({ err: error }, 'the database does not answer')
    return false
  }
}
