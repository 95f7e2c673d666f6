/** Databases for tests: SQLite, or PostgreSQL under `npm run test:postgres`. */
import { createHash } from 'node:crypto'
import { sql } from 'kysely'
import type { OpenedDatabase } from '../../server/database-kind.ts'
import { openConfigured } from '../../server/open-database.ts'
import { schemeOf } from '../../server/database/location.ts'
import { openDatabase, type Database } from '../../server/database/open.ts'
import { opensDatabases, type Feature } from '../../server/feature.ts'
import { asAdmin, createDatabase } from './postgres.ts'

/** The URL of a PostgreSQL server to use instead of SQLite. */
const SERVER = process.env['TEST_POSTGRES_URL']

/** The most connections of one test server: many servers run at once. */
const POOL_SIZE = 5

const opened = new WeakMap<Database, OpenedDatabase>()

/** What the kind of a database does in its own way, for `compose`. */
export const partsOf = (
  database: Database,
): Pick<OpenedDatabase, 'database'> & Partial<OpenedDatabase> =>
  opened.get(database) ?? { database }

/** The features that open databases. Loaded on demand, so that the core's tests need no feature. */
export async function databaseFeatures(): Promise<readonly Feature[]> {
  const { features } = await import('../../server/features.ts')
  return features.filter(opensDatabases)
}

/** The same, if the tests use another database than SQLite. */
export const usedDatabaseFeatures = async (): Promise<readonly Feature[]> =>
  SERVER === undefined ? [] : databaseFeatures()

/**
 * Opens a database of any kind.
 *
 * @param location See `Config`.
 * @param options `timeout` is in milliseconds.
 */
export async function openAt(
  location: string,
  { poolSize = POOL_SIZE, timeout = 5000 } = {},
): Promise<Database> {
  const featureVariables = { DATABASE_POOL_SIZE: poolSize }
  const config = { database: location, databaseTimeout: timeout / 1000, featureVariables }
  const isFile = schemeOf(location) === undefined
  const parts = await openConfigured(config, isFile ? [] : await databaseFeatures())
  opened.set(parts.database, parts)
  return parts.database
}

/** A new, empty database, which is gone when it is closed. */
export async function openTestDatabase(): Promise<Database> {
  if (SERVER === undefined) return openDatabase(':memory:')
  const url = await createDatabase(SERVER)
  const db = await openAt(url)
  const close = db.destroy.bind(db)
  let closed: Promise<void> | undefined
  db.destroy = () => (closed ??= close().then(() => dropDatabase(url)))
  return db
}

const dropDatabase = async (url: string): Promise<void> => {
  const name = new URL(url).pathname.slice(1)
  await asAdmin(SERVER!, `drop database if exists ${name} with (force)`)
}

/** The location of a database that outlives a server: the file, or its own PostgreSQL database. */
export async function databaseAt(file: string): Promise<string> {
  if (SERVER === undefined) return file
  const name = `file_${createHash('sha256').update(file).digest('hex').slice(0, 32)}`
  return createDatabase(SERVER, name)
}

/** The same as a DATABASE_URL. */
export async function databaseUrlAt(file: string): Promise<string> {
  const location = await databaseAt(file)
  return location === file ? `file:${file}` : location
}

/** A value that changes with every write to an account, a session or a refresh token. */
export async function writeMark(db: Database): Promise<unknown> {
  const { rows } = await (
    SERVER === undefined
      ? sql`select total_changes()`
      : sql`select array_agg(xmin::text order by xmin::text) from (
        select xmin from accounts union all select xmin from sessions
        union all select xmin from refresh_tokens) as written`
  ).execute(db)
  return rows
}

/** The ids of an account's sessions. */
export async function sessionIdsOf(db: Database, accountId: string): Promise<string[]> {
  const rows = await db
    .selectFrom('sessions')
    .select('id')
    .where('account_id', '=', accountId)
    .execute()
  return rows.map(({ id }) => id)
}
