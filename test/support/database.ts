/** Databases for tests: SQLite, or PostgreSQL under `npm run test:postgres`. */
import { createHash } from 'node:crypto'
import { sql } from 'kysely'
import { openDatabase, type Database } from '../../server/database/open.ts'
import { asAdmin, createDatabase } from './postgres.ts'

/** The URL of a PostgreSQL server to use instead of SQLite. */
const SERVER = process.env['TEST_POSTGRES_URL']

/** The most connections of one test server: many servers run at once. */
export const POOL_SIZE = 5

/** A new, empty database, which is gone when it is closed. */
export async function openTestDatabase(): Promise<Database> {
  if (SERVER === undefined) return openDatabase(':memory:')
  const url = await createDatabase(SERVER)
  const db = await openDatabase(url, { poolSize: POOL_SIZE })
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
