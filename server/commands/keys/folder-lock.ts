import { randomUUID } from 'node:crypto'
import { link, mkdir, readFile, rm, rmdir, stat, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { StartupError } from '../../errors/startup-error.ts'

/** Milliseconds after which a takeover that is not done has died in the middle. */
const TAKEOVER_TIMEOUT = 5000

/**
 * Runs `work` while no other command changes the folder. The lock of a process of this machine that
 * has died is taken over.
 *
 * @throws StartupError when another command holds the lock, or the folder cannot be written.
 */
export async function withFolderLock<T>(folder: string, work: () => Promise<T>): Promise<T> {
  const path = join(folder, '.lock')
  if (!(await acquire(folder, path)) && !(await takeOver(folder, path))) {
    throw new StartupError([
      `Another command is changing ${folder}. Wait for it to end; if there is none, delete ${path}.`,
    ])
  }
  try {
    return await work()
  } finally {
    await rm(path, { force: true })
  }
}

/** A link comes into being with its content, or not at all. */
async function acquire(folder: string, path: string): Promise<boolean> {
  const staged = join(folder, `.staged-lock-${randomUUID()}`)
  const owner = `${hostname()} ${process.pid}`
  await writeFile(staged, owner, { flag: 'wx', mode: 0o600 }).catch((error: unknown) => {
    const { code = 'unknown' } = error as NodeJS.ErrnoException
    throw new StartupError([
      `The key folder ${folder} cannot be changed (${code}). Check the rights on the folder.`,
    ])
  })
  try {
    await link(staged, path)
    return true
  } catch {
    // It is there already; or whoever holds it has swept the staged file.
    return false
  } finally {
    await rm(staged, { force: true })
  }
}

/** Replaces the lock of the dead. One at a time, or the second would remove the lock of the first. */
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
    if (isAlive(await readFile(path, 'utf8').catch(() => ''))) return false
    await rm(path, { force: true })
    return await acquire(folder, path)
  } finally {
    await rmdir(guard)
  }
}

/** Whether the lock's owner may still be at work. One on another machine is taken to be. */
function isAlive(owner: string): boolean {
  const [host, pid] = owner.split(' ')
  if (owner !== '' && host !== hostname()) return true
  try {
    return process.kill(Number(pid), 0)
  } catch (error) {
    // EPERM: there is such a process, and it is another user's.
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
