import type { SqliteDatabase, SqliteStatement } from 'kysely'
import type Libsql from 'libsql'

/** A connection as Kysely uses it, and what the dialect needs besides. */
export interface LibsqlDatabase extends SqliteDatabase {
  exec(statements: string): void
  isInTransaction(): boolean
}

const WRITE = /^\s*(?:insert|update|delete|replace|create|alter|drop)\b/i

/**
 * libsql has better-sqlite3's interface, for which Kysely's driver is written, but for one fault: it
 * leaves a prepared statement that met SQLITE_BUSY in progress (tursodatabase/libsql-js#237). Until
 * that is garbage collected, no transaction of the connection can commit, and writes are reported
 * as done that are not committed. `exec` does not have the fault. So every write takes the lock by
 * `exec` first, and a prepared one never meets SQLITE_BUSY.
 */
export function toKyselyDatabase(sqlite: Libsql.Database): LibsqlDatabase {
  return {
    prepare(text) {
      const statement: SqliteStatement = sqlite.prepare(text)
      return WRITE.test(text) ? lockedStatement(this, statement) : statement
    },
    exec(statements) {
      sqlite.exec(statements)
    },
    isInTransaction: () => sqlite.inTransaction,
    close() {
      try {
        // libsql lets go of the file only when its statements are collected: leave nothing to do.
        sqlite.pragma('wal_checkpoint(TRUNCATE)')
      } finally {
        sqlite.close()
      }
    },
  }
}

function lockedStatement(database: LibsqlDatabase, statement: SqliteStatement): SqliteStatement {
  return {
    reader: statement.reader,
    all: (parameters) => withWriteLock(database, () => statement.all(parameters)),
    run: (parameters) => withWriteLock(database, () => statement.run(parameters)),
    iterate: (parameters) => statement.iterate(parameters),
  }
}

/** Runs a write in the transaction that is open, or in one of its own. */
function withWriteLock<T>(database: LibsqlDatabase, write: () => T): T {
  if (database.isInTransaction()) return write()
  database.exec('begin immediate')
  try {
    const result = write()
    database.exec('commit')
    return result
  } catch (error) {
    rollBack(database)
    throw error
  }
}

/** Rolls back, unless the error that calls for it has done so already, as a full disk does. */
export function rollBack(database: LibsqlDatabase): void {
  if (database.isInTransaction()) database.exec('rollback')
}
