import type { SqliteDatabase, SqliteStatement } from 'kysely'
import type Libsql from 'libsql'

/** A connection as Kysely uses it, and what the dialect needs besides. */
export interface LibsqlDatabase extends SqliteDatabase {
  exec(statements: string): void
  isInTransaction(): boolean
  /**
   * Begins a transaction that may write.
   *
   * @throws SqliteError SQLITE_BUSY at once, if another process is writing.
   */
  beginWriting(): void
}

/** Statements that are kept prepared: more than the server has. */
const KEPT = 200

/**
 * Milliseconds that a statement blocks the process while another one has locked the whole file. In
 * WAL mode that happens only while a log is recovered; writing locks nobody out who reads.
 */
export const BLOCKED_AT_MOST = 100

/**
 * libsql has better-sqlite3's interface, for which Kysely's driver is written, but for one fault: it
 * leaves a prepared statement that met SQLITE_BUSY in progress (tursodatabase/libsql-js#237). Until
 * that is garbage collected, no transaction of the connection can commit, and writes are reported
 * as done that are not committed. `exec` does not have the fault. So every write takes the lock by
 * `exec` first (see libsql-dialect.ts), and a prepared one never meets SQLITE_BUSY.
 *
 * Statements are kept prepared: preparing one takes longer than running it. One that fails is not
 * used again.
 */
export function toKyselyDatabase(sqlite: Libsql.Database): LibsqlDatabase {
  const kept = new Map<string, SqliteStatement>()

  function prepare(text: string): SqliteStatement {
    const statement: SqliteStatement = sqlite.prepare(text)
    const forget = () => void kept.delete(text)
    return forgetful(statement, forget)
  }

  return {
    prepare(text) {
      const statement = kept.get(text) ?? prepare(text)
      if (kept.size < KEPT) kept.set(text, statement)
      return statement
    },
    exec(statements) {
      sqlite.exec(statements)
    },
    isInTransaction: () => sqlite.inTransaction,
    beginWriting() {
      try {
        sqlite.exec('pragma busy_timeout = 0; begin immediate')
      } finally {
        sqlite.exec(`pragma busy_timeout = ${BLOCKED_AT_MOST}`)
      }
    },
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

/** Rolls back, unless the error that calls for it has done so already, as a full disk does. */
export function rollBack(database: LibsqlDatabase): void {
  if (database.isInTransaction()) database.exec('rollback')
}
