import { chmodSync, closeSync, mkdirSync, openSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Kysely } from 'kysely'
import Libsql from 'libsql'
import { StartupError } from '../errors/startup-error.ts'
import { migrate } from './migrate.ts'
import { CORE_HISTORY } from './migrations/index.ts'
import type { Schema } from './schema.ts'
import { BLOCKED_AT_MOST } from './libsql-database.ts'
import { LibsqlDialect } from './libsql-dialect.ts'

/**
 * Opens the embedded database, creates its folder if needed, and runs its migrations. Only the
 * owner may read its files.
 *
 * @param file An absolute path, or `:memory:`.
 * @param busyTimeout How long a write waits while another process writes, milliseconds.
 * @throws StartupError if it cannot be opened or written.
 */
export async function openSqlite(file: string, busyTimeout: number): Promise<Kysely<Schema>> {
  let db: Kysely<Schema> | undefined
  try {
    const isFile = file !== ':memory:'
    if (isFile) makePrivate(file)
    const sqlite = new Libsql(file, { timeout: BLOCKED_AT_MOST })
    db = new Kysely<Schema>({ dialect: new LibsqlDialect(sqlite, busyTimeout) })
    await whenNotBusy(() => sqlite.pragma('journal_mode = WAL'), busyTimeout)
    // Only now: a mistyped path may lead to a file that is not a database.
    if (isFile) restrict(file)
    // An acknowledged sign-out must survive a power cut.
    sqlite.pragma('synchronous = FULL')
    sqlite.pragma('foreign_keys = ON')
    await migrate(db, CORE_HISTORY)
    return db
  } catch (error) {
    // A failure to close must not hide the original error.
    await db?.destroy().catch(() => undefined)
    if (!isStorageFault(error)) throw error
    throw new StartupError([
      `The database ${file} cannot be opened for writing (${explain(error)}). Check DATABASE_URL and the permissions of the file and its folder.`,
    ])
  }
}

const exists = (path: string): boolean => statSync(path, { throwIfNoEntry: false }) !== undefined

/**
 * Makes the file for its owner alone, if it must. SQLite gives the files beside it the same mode.
 */
function makePrivate(file: string): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  // Never one that is there: closing a file drops the locks that this process has on it elsewhere.
  if (!exists(file)) closeSync(openSync(file, 'a', 0o600))
}

/**
 * Takes away what others may do with the files, if an earlier version or the operator made them so.
 */
function restrict(file: string): void {
  for (const path of [file, `${file}-wal`, `${file}-shm`].filter(exists)) {
    if ((statSync(path).mode & 0o077) !== 0) chmodSync(path, 0o600)
  }
}

/** The change to WAL does not wait by itself for another process that is about to write. */
async function whenNotBusy(work: () => void, timeout: number): Promise<void> {
  for (const deadline = Date.now() + timeout; ;) {
    try {
      work()
      return
    } catch (error) {
      if ((error as { code?: string }).code !== 'SQLITE_BUSY' || Date.now() > deadline) throw error
      await sleep(20)
    }
  }
}

/**
 * An error of the file system or of SQLite. It has a code, if only an empty one; a bug has none.
 */
const isStorageFault = (error: unknown): error is { code: string; message: string } =>
  typeof (error as { code?: unknown }).code === 'string'

const explain = ({ code, message }: { code: string; message: string }): string =>
  code === '' ? message : code
