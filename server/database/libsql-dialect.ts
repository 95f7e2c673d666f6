import { SqliteAdapter, SqliteDialect, SqliteDriver } from 'kysely'
import type Libsql from 'libsql'
import { rollBack, toKyselyDatabase, type LibsqlDatabase } from './libsql-database.ts'

/**
 * Kysely's SQLite dialect, for a file that several processes share. Migrations run in a transaction,
 * and every transaction takes the write lock when it begins. So of two processes that start at once,
 * one waits until the other has migrated, and a transaction that reads before it writes cannot fail
 * because another process wrote in between.
 */
export class LibsqlDialect extends SqliteDialect {
  readonly #database: LibsqlDatabase

  constructor(sqlite: Libsql.Database) {
    const database = toKyselyDatabase(sqlite)
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
  readonly #database: LibsqlDatabase

  constructor(database: LibsqlDatabase) {
    super({ database })
    this.#database = database
  }

  override beginTransaction(): Promise<void> {
    this.#database.exec('begin immediate')
    return Promise.resolve()
  }

  override rollbackTransaction(): Promise<void> {
    rollBack(this.#database)
    return Promise.resolve()
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
