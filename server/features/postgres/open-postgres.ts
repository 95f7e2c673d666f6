import { Kysely, sql } from 'kysely'
import type { OpenedDatabase } from '../../database-kind.ts'
import { describeDatabase } from '../../database/location.ts'
import { migrate } from '../../database/migrate.ts'
import { CORE_HISTORY } from '../../database/migrations/index.ts'
import type { Schema } from '../../database/schema.ts'
import { StartupError } from '../../errors/startup-error.ts'
import { createBatchedLookup } from './find-sessions.ts'
import { PatientPostgresDialect } from './postgres-dialect.ts'
import { takePostgresLock } from './postgres-lock.ts'
import { createSharedLimits } from './shared-limits.ts'
import { sharedDatabase, SHARED_HISTORY, SHARED_TABLES } from './shared-tables.ts'

/** The type `bigint`: times in milliseconds and counts, all of which a number holds exactly. */
const INT8 = 20
/** Milliseconds that the server gets to cancel a statement before its connection is given up. */
const GRACE = 1000

interface PostgresOptions {
  /** Connections at most. */
  readonly poolSize: number
  /** Milliseconds that connecting, a statement, or the pause between two of a transaction may take. */
  readonly timeout: number
}

/**
 * Opens a PostgreSQL database and runs its migrations. Connections are made when they are needed,
 * and again after they were lost.
 *
 * @param url `postgres://…`, with the parameters of node-postgres, such as `sslmode`.
 * @throws StartupError if it cannot be reached or used.
 */
export async function openPostgres(
  url: string,
  { poolSize, timeout }: PostgresOptions,
): Promise<OpenedDatabase> {
  const { Pool, TypeOverrides } = await import('pg')
  const types = new TypeOverrides()
  types.setTypeParser(INT8, Number)
  const pool = new Pool({
    connectionString: url,
    application_name: 'jwe-auth-server',
    max: poolSize,
    connectionTimeoutMillis: timeout,
    keepAlive: true,
    statement_timeout: timeout,
    idle_in_transaction_session_timeout: timeout,
    types,
  })
  // Without listeners, a lost connection would end the process. The next query makes a new one.
  pool.on('error', () => undefined)
  pool.on('connect', (client) => client.on('error', () => undefined))
  const db = new Kysely<Schema>({ dialect: new PatientPostgresDialect(pool, timeout + GRACE) })
  try {
    await requireUtf8(db)
    await migrate(db, CORE_HISTORY)
    await migrate(db, SHARED_HISTORY)
    return {
      database: db,
      takeLock: takePostgresLock(url),
      limitStore: createSharedLimits(sharedDatabase(db)),
      findSession: createBatchedLookup(db),
      connections: () => ({
        busy: pool.totalCount - pool.idleCount,
        max: poolSize,
        waiting: pool.waitingCount,
      }),
      memoryTables: SHARED_TABLES,
    }
  } catch (error) {
    await db.destroy()
    const { code } = error as { code?: unknown }
    // PostgreSQL's, or a StorageError's. A bug has none.
    if (typeof code !== 'string') throw error
    throw new StartupError([
      `The database ${describeDatabase(url)} cannot be opened (${code}). Check DATABASE_URL, that PostgreSQL runs there, and that its user may create tables.`,
    ])
  }
}

async function requireUtf8(db: Kysely<Schema>): Promise<void> {
  const { rows } = await sql<{ server_encoding: string }>`show server_encoding`.execute(db)
  if (rows[0]?.server_encoding === 'UTF8') return
  throw new StartupError([
    'The database must have the encoding UTF8. Create it with: createdb --encoding=UTF8 --template=template0',
  ])
}
