import { closeSync, existsSync, fsyncSync, openSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import Libsql from 'libsql'
import { describeDatabase, isPostgresUrl } from '../../database/location.ts'
import { StartupError } from '../../errors/startup-error.ts'

/**
 * Copies a SQLite database to a new file, as it is at one moment. Servers may use it meanwhile. It is
 * not migrated, so that a backup can be made before an upgrade. Only the owner may read the copy.
 *
 * @param from The database.
 * @param to The absolute path of the new file.
 * @throws StartupError if there is no such database, or the file exists or cannot be written.
 */
export function backUp(from: string, to: string): void {
  const postgres = [from, to].find(isPostgresUrl)
  if (postgres !== undefined) {
    throw new StartupError([
      `${describeDatabase(postgres)} is PostgreSQL. Back it up with pg_dump; this command is for SQLite.`,
    ])
  }
  if (!existsSync(from)) throw new StartupError([`There is no database at ${from}.`])
  try {
    // Fails if it exists. SQLite writes into an empty file.
    closeSync(openSync(to, 'wx', 0o600))
  } catch (error) {
    const { code = 'unknown' } = error as NodeJS.ErrnoException
    throw new StartupError([
      code === 'EEXIST'
        ? `${to} exists already. Back up to a new file.`
        : `${to} cannot be written (${code}).`,
    ])
  }
  try {
    const database = new Libsql(from, { timeout: 5000 })
    try {
      database.prepare('vacuum into ?').run(to)
    } finally {
      database.close()
    }
    // SQLite leaves that to the caller.
    for (const path of [to, dirname(to)]) flush(path)
  } catch (error) {
    rmSync(to, { force: true })
    const { code } = error as NodeJS.ErrnoException
    if (code === undefined) throw error
    throw new StartupError([
      `${from} could not be copied to ${to} (${code}). Check the disk, and that it is a database.`,
    ])
  }
}

function flush(path: string): void {
  const file = openSync(path, 'r')
  try {
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}
