import { open, readFile, rm } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { StartupError } from '../startup-error.ts'

/**
 * Runs `work` while no other command changes the folder. The lock of a process of this machine that
 * has died is taken over.
 *
 * @throws StartupError when another command holds the lock.
 */
export async function withFolderLock<T>(folder: string, work: () => Promise<T>): Promise<T> {
  const path = join(folder, '.lock')
  const owner = `${hostname()} ${process.pid}`
  if (!(await acquire(path, owner))) {
    if (isAlive(await readFile(path, 'utf8').catch(() => ''))) {
      throw new StartupError([
        `Another command is changing ${folder}. Wait for it to end; if there is none, delete ${path}.`,
      ])
    }
    await rm(path, { force: true })
    if (!(await acquire(path, owner))) {
      throw new StartupError([`Another command is changing ${folder}. Wait for it to end.`])
    }
  }
  try {
    return await work()
  } finally {
    await rm(path, { force: true })
  }
}

async function acquire(path: string, owner: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx', 0o600)
    await file.writeFile(owner)
    await file.close()
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

/** Whether the lock's owner may still be at work. One on another machine is taken to be. */
function isAlive(owner: string): boolean {
  const [host, pid] = owner.split(' ')
  if (owner !== '' && host !== hostname()) return true
  try {
    return process.kill(Number(pid), 0)
  } catch {
    return false
  }
}
