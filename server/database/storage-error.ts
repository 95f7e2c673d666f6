import { UnavailableError } from '../errors/unavailable-error.ts'

/** Seconds after which it is worth trying again. */
const RETRY_AFTER = 5

/** SQLite's codes, including extended ones, for problems with the file rather than a statement. */
const FILE_AWAY = /^SQLITE_(?:BUSY|LOCKED|FULL|IOERR|READONLY|CANTOPEN)(?:_|$)/

/** The database is not available now: it is locked or unreachable, or its disk is full. */
export class StorageError extends UnavailableError {
  /** The database's, or that of a system call. */
  readonly code: string

  constructor(code: string, cause: unknown) {
    super(`The database is not available (${code}).`, RETRY_AFTER, { cause })
    this.code = code
  }
}

/** A transaction has lost a race with another, and can be run again: see transaction.ts. */
export class ConflictError extends StorageError {
  constructor(code = 'conflict', cause?: unknown) {
    super(code, cause)
  }
}

/**
 * Replaces SQLite's error with a StorageError if the file is at fault. Returns any other error
 * unchanged.
 */
export function toStorageError(error: unknown): unknown {
  const { code } = error as { code?: unknown }
  return typeof code === 'string' && FILE_AWAY.test(code) ? new StorageError(code, error) : error
}

/**
 * Whether this is an error of the file system or of SQLite. It has a code, even if that is empty. A
 * bug has none.
 */
export const isStorageFault = (error: unknown): error is { code: string; message: string } =>
  typeof (error as { code?: unknown }).code === 'string'

/** The code of a storage fault, for people. */
export const explain = ({ code, message }: { code: string; message: string }): string =>
  code === '' ? message : code
