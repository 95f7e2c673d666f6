import type { SqliteStatement } from 'kysely'
import type Libsql from 'libsql'

/** A connection as Kysely uses it, with additions for the dialect. */
export type LibsqlDatabase = ReturnType<typeof toKyselyDatabase>

/** The most prepared statements to keep: more than the server has. */
const KEPT = 200

/**
 * Milliseconds for which a statement may block this process while another process has locked the
 * whole file. In WAL mode, that happens only while a log is recovered, because writers do not block
 * readers.
 */
export const BLOCKED_AT_MOST = 100

/**
 * libsql has the interface of better-sqlite3, for which Kysely's driver is written, but also a bug:
 * a prepared statement that meets SQLITE_BUSY stays in progress (tursodatabase/libsql-js#237).
 * Until it is garbage collected, the connection reads what was committed before, no transaction of
 * it can commit, and uncommitted writes are reported as done. `exec` does not have the bug. So the
 * lock for every statement is first taken by `exec` (see libsql-dialect.ts and read-row.ts), and a
 * prepared statement never meets SQLITE_BUSY.
 *
 * Keeps statements prepared, because preparing one takes longer than running it. A statement that
 * fails must not be used again: see `forget`.
 */
export function toKyselyDatabase(sqlite: Libsql.Database) {
  const kept = new Map<string, SqliteStatement>()

  return {
    prepare(text: string): SqliteStatement {
      const statement: SqliteStatement = kept.get(text) ?? sqlite.prepare(text)
      if (kept.size < KEPT) kept.set(text, statement)
      return statement
    },
    /** Drops a statement that may have failed, because libsql may have left it in progress. */
    forget(text: string): void {
      kept.delete(text)
    },
    exec(statements: string): void {
      sqlite.exec(statements)
    },
    /** Whether a query would be one of a transaction that has begun. */
    isInTransaction: (): boolean => sqlite.open && sqlite.inTransaction,
    /** Ask first: libsql aborts the process if a closed connection is used. */
    isOpen: (): boolean => sqlite.open,
    /**
     * Begins a transaction that may write.
     *
     * @throws SqliteError SQLITE_BUSY at once, if another process is writing.
     */
    beginWriting(): void {
      try {
        sqlite.exec('pragma busy_timeout = 0; begin immediate')
      } finally {
        sqlite.exec(`pragma busy_timeout = ${BLOCKED_AT_MOST}`)
      }
    },
    /**
     * Prepares a query for its first row. The parameters are in the order of its placeholders.
     *
     * @throws SqliteError, also when it is run.
     */
    prepareRow(query: string) {
      // Without `raw`, libsql takes longer, and adds a member of its own.
      const statement = sqlite.prepare(query).raw()
      const namesOf = () => statement.columns().map(({ name }) => name)
      let names = namesOf()
      return (parameters: readonly unknown[]): Record<string, unknown> | undefined => {
        const values = statement.get(parameters) as unknown[] | undefined
        if (values === undefined) return undefined
        // Another process has added a column: `*` now has more of them.
        if (values.length !== names.length) names = namesOf()
        const row: Record<string, unknown> = {}
        for (const [index, name] of names.entries()) row[name] = values[index]
        return row
      }
    },
    /** Begins a transaction that only reads. It sees the database at one moment. */
    beginReading(): void {
      try {
        // `begin` alone takes no lock.
        sqlite.exec('begin; pragma schema_version')
      } catch (error) {
        if (sqlite.inTransaction) sqlite.exec('rollback')
        throw error
      }
    },
    close(): void {
      kept.clear()
      try {
        // libsql keeps the file open until its statements are garbage collected, so leave nothing
        // to be done then.
        sqlite.pragma('wal_checkpoint(TRUNCATE)')
      } finally {
        sqlite.close()
      }
    },
  }
}

/** Rolls back, unless the error itself has already done so, as a full disk does. */
export function rollBack(database: LibsqlDatabase): void {
  if (database.isInTransaction()) database.exec('rollback')
}
