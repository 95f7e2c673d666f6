import type { SqliteDatabase, SqliteStatement } from 'kysely'
import type Libsql from 'libsql'

/** A connection as Kysely uses it, and what the dialect needs besides. */
export interface LibsqlDatabase extends SqliteDatabase {
  exec(statements: string): void
  isInTransaction(): boolean
}

/** Statements that are kept prepared: more than the server has. */
const KEPT = 200

const WRITE = /^\s*(?:insert|update|delete|replace|create|alter|drop)\b/i

/**
 * libsql has better-sqlite3's interface, for which Kysely's driver is written, but for one fault: it
 * leaves a prepared statement that met SQLITE_BUSY in progress (tursodatabase/libsql-js#237). Until
 * that is garbage collected, no transaction of the connection can commit, and writes are reported
 * as done that are not committed. `exec` does not have the fault. So every write takes the lock by
 * `exec` first, and a prepared one never meets SQLITE_BUSY.
 *
 * Statements are kept prepared: preparing one takes longer than running it. One that fails is not
 * used again.
 */
export function toKyselyDatabase(sqlite: Libsql.Database): LibsqlDatabase {
  const kept = new Map<string, SqliteStatement>()

  function prepare(text: string): SqliteStatement {
    const statement: SqliteStatement = sqlite.prepare(text)
    const forget = () => void kept.delete(text)
    return forgetful(WRITE.test(text) ? lockedStatement(database, statement) : statement, forget)
  }

  const database: LibsqlDatabase = {
    prepare(text) {
      const statement = kept.get(text) ?? prepare(text)
      if (kept.size < KEPT) kept.set(text, statement)
      return statement
    },
    exec(statements) {
      sqlite.exec(statements)
    },
    isInTransaction: () => sqlite.inTransaction,
    close() {
      kept.clear()
      try {
        // libsql lets go of the file only when its statements are collected: leave nothing to do.
        sqlite.pragma('wal_checkpoint(TRUNCATE)')
      } finally {
        sqlite.close()
      }
    },
  }
  return database
}

/** A statement that is forgotten when it fails: libsql may have left it in progress. */
function forgetful(statement: SqliteStatement, forget: () => void): SqliteStatement {
  const watch = <T>(work: () => T): T => {
    try {
      return work()
    } catch (error) {
      forget()
      throw error
    }
  }
  return {
    reader: statement.reader,
    all: (parameters) => watch(() => statement.all(parameters)),
    run: (parameters) => watch(() => statement.run(parameters)),
    iterate: (parameters) => statement.iterate(parameters),
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
