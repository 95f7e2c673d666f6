import { randomUUID } from 'node:crypto'
import { link, mkdir, readFile, rm, rmdir, stat, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { StartupError } from '../../errors/startup-error.ts'

/** Milliseconds after which an unfinished takeover counts as abandoned. */
const TAKEOVER_TIMEOUT = 5000

/**
 * Runs `work` while no other command changes the folder. If the lock belongs to a dead process of
 * this machine, it is taken over.
 *
 * @throws StartupError if another command holds the lock, or the folder cannot be written.
 */
export async function withFolderLock<T>(folder: string, work: () => Promise<T>): Promise<T> {
  const path = join(folder, '.lock')
  if (!(await acquire(folder, path)) && !(await takeOver(folder, path))) {
    throw new StartupError([
      `Another command is changing ${folder}. Wait until it has finished. If no command is running, delete ${path}.`,
    ])
  }
  try {
    return await work()
  } finally {
    await rm(path, { force: true })
  }
}

/** Creates the lock with a hard link, so that the file never exists without its content. */
async function acquire(folder: string, path: string): Promise<boolean> {
  const staged = join(folder, `.staged-lock-${randomUUID()}`)
  const owner = `${hostname()} ${process.pid}`
  await writeFile(staged, owner, { flag: 'wx', mode: 0o600 }).catch((error: unknown) => {
    const { code = 'unknown' } = error as NodeJS.ErrnoException
    throw new StartupError([
      `The key folder ${folder} cannot be changed (${code}). Check the permissions of the folder.`,
    ])
  })
  try {
    await link(staged, path)
    return true
  } catch {
    // The lock exists already, or its holder has removed the staged file.
    return false
  } finally {
    await rm(staged, { force: true })
  }
}

/**
 * Replaces the lock of a dead process. The guard stops a second process from removing the new lock.
 */
async function takeOver(folder: string, path: string): Promise<boolean> {
  const guard = join(folder, '.lock-takeover')
  try {
    await mkdir(guard)
  } catch {
    const { mtimeMs } = await stat(guard).catch(() => ({ mtimeMs: Infinity }))
    if (Date.now() - mtimeMs > TAKEOVER_TIMEOUT) await rmdir(guard).catch(() => undefined)
    return false
  }
  try {
    const owner = await readFile(path, 'utf8').catch(() => undefined)
    // A lock that was released meanwhile is not removed: a third process may hold it by now.
    if (owner !== undefined) {
      if (isAlive(owner)) return false
      await rm(path, { force: true })
    }
    return await acquire(folder, path)
  } finally {
    await rmdir(guard)
  }
}

/** Whether the owner of the lock may still be running. On another machine, it is assumed to be. */
function isAlive(owner: string): boolean {
  const [host, pid] = owner.split(' ')
  if (owner !== '' && host !== hostname()) return true
  try {
    return process.kill(Number(pid), 0)
  } catch (error) {
    // EPERM: the process exists but belongs to another user.
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
