/**
 * The second half of a change to several files of a folder: see commands/keys/commit-changes.ts. The
 * new files were staged in a subfolder, and renaming that to `.commit` decided. Moving the files out
 * of it is repeated by whoever comes next, so whoever reads the folder does it too.
 */
import { open, readdir, readFile, rename, rm, rmdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'

/** The folder of a decided change. */
export const COMMIT = '.commit'
/** Of one change alone: a slow process must not remove the manifest of the next. */
const MANIFEST = /^manifest.*\.json$/

/** Names of files in the folder itself. */
const name = z.string().regex(/^\w[\w.-]*$/)
const manifestSchema = z.object({ write: z.array(name), remove: z.array(name) })

/** Whether a decided change is not finished yet. */
export async function isCommitting(folder: string): Promise<boolean> {
  return (await ignoringRaces(stat(join(folder, COMMIT)))) !== undefined
}

/** Finishes a change that was decided and cut short. Anybody may, at any time: it can be repeated. */
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

/** Another process may be finishing the same change, or have begun the next. */
async function ignoringRaces<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTEMPTY') return undefined
    throw error
  }
}

/** Makes what was renamed or removed in a folder durable. */
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
