import { randomUUID } from 'node:crypto'
import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import Libsql from 'libsql'
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
  if (!existsSync(from)) throw new StartupError([`There is no database at ${from}.`])
  if (to === ':memory:') throw new StartupError(['A backup needs a file.'])
  if (existsSync(to)) throw exists(to)
  // A copy that is cut short, by a kill for instance, never has the name of a whole one.
  const part = `${to}.${randomUUID()}.part`
  try {
    // SQLite writes into an empty file.
    create(part)
    copy(from, part)
    // Neither SQLite nor a rename syncs the copy to disk.
    flush(part)
    // Fails if it exists by now, which a rename does not.
    create(to)
    renameSync(part, to)
    flush(dirname(to))
  } catch (error) {
    throw explain(error, from, to)
  } finally {
    for (const path of [part, `${part}-journal`]) rmSync(path, { force: true })
  }
}

function create(path: string): void {
  closeSync(openSync(path, 'wx', 0o600))
}

function copy(from: string, to: string): void {
  const database = new Libsql(from, { timeout: 5000 })
  try {
    database.prepare('vacuum into ?').run(to)
  } finally {
    database.close()
  }
}

const exists = (to: string): StartupError =>
  new StartupError([`${to} exists already. Back up to a new file.`])

/** An error of the file system or of SQLite as a StartupError; any other is a bug of ours. */
function explain(error: unknown, from: string, to: string): unknown {
  const { code, message, syscall } = error as NodeJS.ErrnoException
  if (code === undefined) return error
  if (code === 'EEXIST') return exists(to)
  if (syscall !== undefined) return new StartupError([`${to} cannot be written (${code}).`])
  return new StartupError([
    // libsql has no code for some of SQLite's errors.
    `${from} could not be copied to ${to} (${code || message}). Check the disk, and that it is a database.`,
  ])
}

function flush(path: string): void {
  const file = openSync(path, 'r')
  try {
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}
