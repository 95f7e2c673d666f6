/**
 * The second half of an atomic change to the files of a folder: see
 * commands/keys/commit-changes.ts. Renaming the staged subfolder to `.commit` has committed the
 * change. Its files are then moved to their places. If that is interrupted, the next process that
 * reads or changes the folder finishes it.
 */
import { open, readdir, readFile, rename, rm, rmdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'

/** The subfolder of a committed change. */
export const COMMIT = '.commit'
/** Each change has its own name: a slow process must not remove the manifest of the next change. */
const MANIFEST = /^manifest.*\.json$/

/** The name of a file in the folder itself. */
const name = z.string().regex(/^\w[\w.-]*$/)
const manifestSchema = z.object({ write: z.array(name), remove: z.array(name) })

/** Whether a committed change is unfinished. */
export async function isCommitting(folder: string): Promise<boolean> {
  return (await ignoringRaces(stat(join(folder, COMMIT)))) !== undefined
}

/** Finishes a committed change. Safe to repeat, and for any process to call at any time. */
export async function finishCommit(folder: string): Promise<void> {
  if (!(await isCommitting(folder))) return
  const commit = join(folder, COMMIT)
  const file = (await ignoringRaces(readdir(commit)))?.find((name) => MANIFEST.test(name))
  const text = file && (await ignoringRaces(readFile(join(commit, file), 'utf8')))
  if (file !== undefined && text !== undefined) {
    const { write, remove } = manifestSchema.parse(JSON.parse(text))
    for (const name of write) await ignoringRaces(rename(join(commit, name), join(folder, name)))
    for (const name of remove) await rm(join(folder, name), { force: true })
    await syncFolder(folder)
    await rm(join(commit, file), { force: true })
  }
  await ignoringRaces(rmdir(commit))
  await syncFolder(folder)
}

/** Another process may be finishing the same change, or may have started the next one. */
async function ignoringRaces<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTEMPTY') return undefined
    throw error
  }
}

/** Makes the renames and removals in a folder durable. */
export async function syncFolder(path: string): Promise<void> {
  // Windows cannot open a folder to sync it.
  if (process.platform === 'win32') return
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
