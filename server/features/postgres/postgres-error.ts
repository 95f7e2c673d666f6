import { ConflictError, StorageError } from '../../database/storage-error.ts'

/**
 * PostgreSQL's codes for problems with the server rather than a statement: lost connections,
 * missing resources, shutdowns, timeouts, I/O errors, a standby that is read-only.
 */
const SERVER_AWAY = /^(?:08|53|57|58)[0-9A-Z]{3}$|^(?:25006|25P03|55P03)$/

/** PostgreSQL's codes for a serialization failure and a deadlock. */
const CONFLICT = /^40(?:001|P01)$/

/**
 * Replaces PostgreSQL's error with a StorageError if the server is at fault, or another transaction.
 * Returns any other error unchanged.
 */
export function toPostgresError(error: unknown): unknown {
  const { code } = error as { code?: unknown }
  if (typeof code !== 'string') return error
  if (CONFLICT.test(code)) return new ConflictError(code, error)
  return SERVER_AWAY.test(code) ? new StorageError(code, error) : error
}
