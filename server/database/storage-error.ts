import { UnavailableError } from '../errors/unavailable-error.ts'

/** Seconds after which it is worth trying again. */
const RETRY_AFTER = 5

/** SQLite's codes, extended ones included, for what is wrong with the file and not with a statement. */
const AWAY = /^SQLITE_(?:BUSY|LOCKED|FULL|IOERR|READONLY|CANTOPEN)(?:_|$)/

/** The database cannot do its work just now: it is locked, or its disk is full or does not answer. */
export class StorageError extends UnavailableError {
  /** SQLite's. */
  readonly code: string

  constructor(code: string, cause: unknown) {
    super(`The database is not available (${code}).`, RETRY_AFTER, { cause })
    this.code = code
  }
}

/** What to throw in place of an error of SQLite: the error itself, unless the storage is at fault. */
export function toStorageError(error: unknown): unknown {
  const { code } = error as { code?: unknown }
  return typeof code === 'string' && AWAY.test(code) ? new StorageError(code, error) : error
}
