import { SqliteAdapter, SqliteDialect, SqliteDriver, type SqliteDatabase } from 'kysely'

/** The part of libsql's interface that the dialect needs. */
export interface SharedDatabase extends SqliteDatabase {
  exec(statements: string): unknown
}

/**
 * Kysely's SQLite dialect, for a file that several processes share. Migrations run in a transaction,
 * and every transaction takes the write lock when it begins. So of two processes that start at once,
 * one waits until the other has migrated, and a transaction that reads before it writes cannot fail
 * because another process wrote in between.
 */
export class SharedSqliteDialect extends SqliteDialect {
  readonly #database: SharedDatabase

  constructor({ database }: { readonly database: SharedDatabase }) {
    super({ database })
    this.#database = database
  }

  override createDriver(): SqliteDriver {
    return new ImmediateDriver(this.#database)
  }

  override createAdapter(): SqliteAdapter {
    return new TransactionalAdapter()
  }
}

class ImmediateDriver extends SqliteDriver {
  readonly #database: SharedDatabase

  constructor(database: SharedDatabase) {
    super({ database })
    this.#database = database
  }

  override async beginTransaction(): Promise<void> {
    // Not a prepared statement: libsql leaves one that met SQLITE_BUSY in progress, and then no
    // later transaction of this connection can commit.
    await Promise.resolve(this.#database.exec('begin immediate'))
  }
}

/**
 * The migration lock is the write lock of the Migrator's transaction. `acquireMigrationLock` stays
 * empty: Kysely calls it before the transaction begins, and a lock row would survive a crash.
 */
class TransactionalAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true
  }
}
