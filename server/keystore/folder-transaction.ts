/**
 * Changes several files of a folder as one: after a crash at any moment the folder is as before or
 * as after, never between. The new files are staged in a subfolder; renaming that to `.commit` is
 * the one atomic step that decides; moving the files out of it is repeated by whoever comes next.
 */
import { randomUUID } from 'node:crypto'
import { mkdir, open, readdir, readFile, rename, rm, rmdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'

const STAGED = '.staged-'
const COMMIT = '.commit'
/** Of one change alone: a slow process must not remove the manifest of the next. */
const MANIFEST = /^manifest.*\.json$/

/** File name → new content, or `null` to remove the file. */
export type FolderChanges = Readonly<Record<string, string | null>>

/** Names of files in the folder itself. */
const name = z.string().regex(/^\w[\w.-]*$/)
const manifestSchema = z.object({ write: z.array(name), remove: z.array(name) })

/**
 * Writes the changes durably: every file 0600 and fsynced, then the folder. One at a time: see
 * folder-lock.ts.
 */
export async function commitChanges(folder: string, changes: FolderChanges): Promise<void> {
  await finishCommit(folder)
  const staged = join(folder, STAGED + randomUUID())
  await mkdir(staged, { mode: 0o700 })
  const write = Object.keys(changes).filter((name) => changes[name] !== null)
  const remove = Object.keys(changes).filter((name) => changes[name] === null)
  for (const name of write) await writeDurably(join(staged, name), changes[name] ?? '')
  await writeDurably(
    join(staged, `manifest-${randomUUID()}.json`),
    JSON.stringify({ write, remove }),
  )
  await syncFolder(staged)
  await rename(staged, join(folder, COMMIT))
  await syncFolder(folder)
  await finishCommit(folder)
}

/** Finishes a change that was decided and cut short, and sweeps what was staged and never decided. */
export async function recover(folder: string): Promise<void> {
  await finishCommit(folder)
  for (const name of await readdir(folder)) {
    if (name.startsWith(STAGED)) await rm(join(folder, name), { recursive: true, force: true })
  }
}

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

async function writeDurably(path: string, content: string): Promise<void> {
  const file = await open(path, 'wx', 0o600)
  try {
    await file.writeFile(content)
    await file.sync()
  } finally {
    await file.close()
  }
}

async function syncFolder(path: string): Promise<void> {
  // Windows cannot open a folder to sync it.
  if (process.platform === 'win32') return
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
