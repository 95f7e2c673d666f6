import { UnavailableError } from '../errors/unavailable-error.ts'

/** Seconds after which it is worth trying again. */
const RETRY_AFTER = 5

/** SQLite's codes, including extended ones, for problems with the file rather than a statement. */
const FILE_AWAY = /^SQLITE_(?:BUSY|LOCKED|FULL|IOERR|READONLY|CANTOPEN)(?:_|$)/

/**
 * PostgreSQL's codes for problems with the server rather than a statement: lost connections,
 * missing resources, shutdowns, timeouts, I/O errors, a standby that is read-only.
 */
const SERVER_AWAY = /^(?:08|53|57|58)[0-9A-Z]{3}$|^(?:25006|25P03|55P03)$/

/** PostgreSQL's codes for a serialization failure and a deadlock. */
const CONFLICT = /^40(?:001|P01)$/

/** The database is not available now: it is locked or unreachable, or its disk is full. */
export class StorageError extends UnavailableError {
  /** SQLite's or PostgreSQL's, or that of a system call. */
  readonly code: string

  constructor(code: string, cause: unknown) {
    super(`The database is not available (${code}).`, RETRY_AFTER, { cause })
    this.code = code
  }
}

/**
 * Replaces a database's error with a StorageError if the storage is at fault. Returns any other
 * error unchanged.
 */
export function toStorageError(error: unknown): unknown {
  const { code } = error as { code?: unknown }
  if (typeof code !== 'string') return error
  const isAway = [FILE_AWAY, SERVER_AWAY, CONFLICT].some((codes) => codes.test(code))
  return isAway ? new StorageError(code, error) : error
}

/**
 * Throw this in a transaction that has lost a race with another, to run it again: see
 * transaction.ts.
 */
export const conflict = (): StorageError => new StorageError('40001', undefined)

/**
 * Whether the database aborted a transaction because of a concurrent one, so that it can be run
 * again.
 */
export const isConflict = (error: unknown): boolean =>
  error instanceof StorageError && CONFLICT.test(error.code)
