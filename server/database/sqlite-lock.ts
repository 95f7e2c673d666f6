import Libsql from 'libsql'
import type { TakeLock } from './server-lock.ts'
import { makePrivate } from './open.ts'

/**
 * An open transaction on a file beside the database: reading shares it, an exclusive one does not. The
 * operating system ends it with the process.
 */
export function takeSqliteLock(file: string): TakeLock {
  return (isExclusive) => {
    if (file === ':memory:') return Promise.resolve({ release: () => Promise.resolve() })
    const path = `${file}-lock`
    makePrivate(path)
    const sqlite = new Libsql(path, { timeout: 0 })
    try {
      sqlite.exec(isExclusive ? 'begin exclusive' : 'begin; select * from sqlite_master')
    } catch (error) {
      sqlite.close()
      if ((error as { code?: unknown }).code === 'SQLITE_BUSY') return Promise.resolve(undefined)
      throw error
    }
    const release = () => {
      sqlite.exec('rollback')
      sqlite.close()
      return Promise.resolve()
    }
    return Promise.resolve({ release })
  }
}
