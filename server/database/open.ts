import { accessSync, chmodSync, closeSync, constants, mkdirSync, openSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Kysely, sql } from 'kysely'
import Libsql from 'libsql'
import { StartupError } from '../errors/startup-error.ts'
import type { Logger } from '../log/logger.ts'
import { BLOCKED_AT_MOST } from './libsql-database.ts'
import { libsqlDialect } from './libsql-dialect.ts'
import { migrate } from './migrate.ts'
import { CORE_HISTORY } from './migrations/index.ts'
import type { Schema } from './schema.ts'
import { explain, isStorageFault } from './storage-error.ts'

export type Database = Kysely<Schema>

/**
 * Opens the embedded database, creates its folder if needed, and runs its migrations. Only the
 * owner may read its files.
 *
 * @param file An absolute path, or `:memory:`.
 * @param busyTimeout Milliseconds that a write waits while another process writes.
 * @throws StartupError if it cannot be opened or written.
 */
export async function openDatabase(file: string, busyTimeout = 5000): Promise<Database> {
  let db: Database | undefined
  try {
    const isFile = file !== ':memory:'
    if (isFile) {
      makePrivate(file)
      // SQLite also opens what it may only read, and a database that is up to date needs no write now.
      accessSync(file, constants.W_OK)
    }
    const sqlite = new Libsql(file, { timeout: BLOCKED_AT_MOST })
    db = new Kysely<Schema>({ dialect: libsqlDialect(sqlite, busyTimeout) })
    await whenNotBusy(() => sqlite.pragma('journal_mode = WAL'), busyTimeout)
    // Only now, because a mistyped path may lead to a file that is not a database.
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
 * Creates the file if it is missing, readable only by its owner. SQLite gives its companion files
 * the same mode.
 */
export function makePrivate(file: string): void {
  makeFolder(dirname(file))
  // Never opens an existing file, because closing it would drop other locks of this process on it.
  if (!exists(file)) closeSync(openSync(file, 'a', 0o600))
}

/**
 * Creates a folder and those above it. `mkdirSync` with `recursive` would try forever in a folder
 * that answers ENOENT, as /proc does.
 */
function makeFolder(path: string): void {
  if (exists(path)) return
  makeFolder(dirname(path))
  try {
    mkdirSync(path, { mode: 0o700 })
  } catch (error) {
    // Another process may have created it.
    if (!exists(path)) throw error
  }
}

/** Removes the permissions of others, which an earlier version or the operator may have given. */
function restrict(file: string): void {
  for (const path of [file, `${file}-wal`, `${file}-shm`].filter(exists)) {
    if ((statSync(path).mode & 0o077) !== 0) chmodSync(path, 0o600)
  }
}

/** Waits for other processes, because the change to WAL mode does not. */
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

/** Whether the database answers. If not, the log says why. */
export async function isReachable(db: Database, log: Logger): Promise<boolean> {
  try {
    await sql`select 1`.execute(db)
    return true
  } catch (error) {
    log.warn({ err: error }, 'the database does not answer')
    return false
  }
}
