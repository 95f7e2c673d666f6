import { setTimeout as sleep } from 'node:timers/promises'
import {
  SqliteAdapter,
  SqliteDriver,
  SqliteIntrospector,
  SqliteQueryCompiler,
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type QueryResult,
} from 'kysely'
import type Libsql from 'libsql'
import { rollBack, toKyselyDatabase, type LibsqlDatabase } from './libsql-database.ts'
import { toStorageError } from './storage-error.ts'

/** The most milliseconds between two tries. The first tries follow each other faster. */
const MAX_PAUSE = 32

const WRITE = /^\s*(?:insert|update|delete|replace|create|alter|drop)\b/i

const impatient = new WeakSet<CompiledQuery>()

/** Marks a write as not worth waiting for. It fails at once while another process writes. */
export function withoutWaiting<T>(query: CompiledQuery<T>): CompiledQuery<T> {
  impatient.add(query)
  return query
}

/**
 * Kysely's SQLite dialect for a file that several processes share. Migrations run in a transaction,
 * and every transaction takes the write lock when it begins. So if two processes start at once, one
 * waits until the other has migrated. A transaction that reads before it writes cannot fail because
 * another process wrote in between.
 *
 * @param lockTimeout Milliseconds that a write waits while another process writes.
 */
export function libsqlDialect(sqlite: Libsql.Database, lockTimeout: number): Dialect {
  const database = toKyselyDatabase(sqlite)
  return {
    createDriver: () => new ImmediateDriver(database, lockTimeout),
    createAdapter: () => new LibsqlAdapter(database),
    createQueryCompiler: () => new SqliteQueryCompiler(),
    createIntrospector: (db) => new SqliteIntrospector(db),
  }
}

class ImmediateDriver extends SqliteDriver {
  readonly #database: LibsqlDatabase
  readonly #lockTimeout: number
  #connection: DatabaseConnection | undefined

  constructor(database: LibsqlDatabase, lockTimeout: number) {
    super({ database })
    this.#database = database
    this.#lockTimeout = lockTimeout
  }

  /** There is only one connection, which one caller at a time uses. */
  override async acquireConnection(): Promise<DatabaseConnection> {
    const connection = await super.acquireConnection()
    this.#connection ??= {
      executeQuery: async <R>(query: CompiledQuery) => this.#execute<R>(connection, query),
      streamQuery: (query, chunkSize) => connection.streamQuery(query, chunkSize),
    }
    return this.#connection
  }

  override async beginTransaction(): Promise<void> {
    await translated(() => this.#beginWriting(this.#lockTimeout))
  }

  override rollbackTransaction(): Promise<void> {
    rollBack(this.#database)
    return Promise.resolve()
  }

  /** Runs a query in the open transaction, or in one of its own. */
  #execute<R>(connection: DatabaseConnection, query: CompiledQuery): Promise<QueryResult<R>> {
    return translated(async () => {
      if (query.sql === 'commit') {
        // Prepared, it would stay in progress if it failed.
        this.#database.exec('commit')
        return { rows: [] }
      }
      const isPart = this.#database.isInTransaction()
      try {
        if (isPart) return await connection.executeQuery<R>(query)
        if (WRITE.test(query.sql)) {
          await this.#beginWriting(impatient.has(query) ? 0 : this.#lockTimeout)
        } else {
          this.#database.beginReading()
        }
        const result = await connection.executeQuery<R>(query)
        this.#database.exec('commit')
        return result
      } catch (error) {
        this.#database.forget(query.sql)
        if (!isPart) rollBack(this.#database)
        throw error
      }
    })
  }

  /**
   * Waits for the write lock. Meanwhile the process is not blocked, and the connection serves
   * readers.
   */
  async #beginWriting(timeout: number): Promise<void> {
    const deadline = performance.now() + timeout
    for (let pause = 1; ; pause = Math.min(2 * pause, MAX_PAUSE)) {
      try {
        this.#database.beginWriting()
        return
      } catch (error) {
        const isBusy = String((error as { code?: unknown }).code).startsWith('SQLITE_BUSY')
        if (!isBusy || performance.now() >= deadline) throw error
      }
      await this.releaseConnection()
      await sleep(pause)
      await this.acquireConnection()
    }
  }
}

/** @throws StorageError in place of SQLite's error. */
async function translated<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw toStorageError(error)
  }
}

/**
 * The write lock of the Migrator's transaction is also the migration lock. `acquireMigrationLock`
 * does nothing, because Kysely calls it before the transaction begins, and a lock row would survive
 * a crash.
 */
export class LibsqlAdapter extends SqliteAdapter {
  /** The connection, for what Kysely cannot do: see read-row.ts and group-commit.ts. */
  readonly database: LibsqlDatabase

  constructor(database: LibsqlDatabase) {
    super()
    this.database = database
  }

  override get supportsTransactionalDdl(): boolean {
    return true
  }
}
