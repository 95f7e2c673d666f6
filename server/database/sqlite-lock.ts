import Libsql from 'libsql'
import type { TakeLock } from './server-lock.ts'
import { makePrivate } from './open.ts'
import { explain, isStorageFault, StorageError } from './storage-error.ts'

/**
 * An open transaction on a file beside the database: reading shares it, an exclusive one does not. The
 * operating system ends it with the process.
 */
export function takeSqliteLock(file: string): TakeLock {
  const path = `${file}-lock`
  return (isExclusive) => {
    if (file === ':memory:') return () => undefined
    let sqlite: Libsql.Database | undefined
    try {
      makePrivate(path)
      sqlite = new Libsql(path, { timeout: 0 })
      sqlite.exec(isExclusive ? 'begin exclusive' : 'begin; select * from sqlite_master')
    } catch (error) {
      sqlite?.close()
      if (!isStorageFault(error)) throw error
      if (error.code === 'SQLITE_BUSY') return undefined
      throw new StorageError(explain(error), error)
    }
    return () => {
      sqlite.exec('rollback')
      sqlite.close()
    }
  }
}
