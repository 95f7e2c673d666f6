import { randomUUID } from 'node:crypto'
import { constants, type Stats } from 'node:fs'
import { mkdir, open, readdir, rename, rm, stat, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { COMMIT, finishCommit, syncFolder } from '../../keystore/folder-transaction.ts'

const STAGED = '.staged-'

type Owner = Pick<Stats, 'uid' | 'gid'>

/** File name → new content, or `null` to remove the file. */
type FolderChanges = Readonly<Record<string, string | null>>

/**
 * Changes several files of a folder atomically: after a crash at any moment, either all changes are
 * in effect or none. The new files are staged in a subfolder. Renaming it to `.commit` is the
 * atomic step that decides. Files have mode 0600. They are fsynced before the folder.
 * Those that root writes get the folder's owner, so that the server can read them.
 *
 * The caller must hold the folder's lock: see folder-lock.ts.
 */
export async function commitChanges(folder: string, changes: FolderChanges): Promise<void> {
  await finishCommit(folder)
  const owner = await stat(folder)
  const staged = join(folder, STAGED + randomUUID())
  await mkdir(staged, { mode: 0o700 })
  await handOverFolder(staged, owner)
  const [write, remove]: [string[], string[]] = [[], []]
  for (const [name, content] of Object.entries(changes)) {
    if (content === null) {
      remove.push(name)
    } else {
      write.push(name)
      await writeDurably(join(staged, name), content, owner)
    }
  }
  const manifest = JSON.stringify({ write, remove })
  await writeDurably(join(staged, `manifest-${randomUUID()}.json`), manifest, owner)
  await syncFolder(staged)
  await rename(staged, join(folder, COMMIT))
  await syncFolder(folder)
  await finishCommit(folder)
}

/**
 * Finishes a committed change that was interrupted, and removes staged files of uncommitted ones.
 */
export async function recover(folder: string): Promise<void> {
  await finishCommit(folder)
  for (const name of await readdir(folder)) {
    if (name.startsWith(STAGED)) await rm(join(folder, name), { recursive: true, force: true })
  }
}

async function writeDurably(path: string, content: string, owner: Owner): Promise<void> {
  const file = await open(path, 'wx', 0o600)
  try {
    await file.writeFile(content)
    await handOver(file, owner)
    await file.sync()
  } finally {
    await file.close()
  }
}

/** Gives what root has made to the owner of the key folder. */
async function handOver(file: FileHandle, { uid, gid }: Owner): Promise<void> {
  if (process.getuid?.() !== 0 || uid === 0) return
  try {
    await file.chown(uid, gid)
  } catch (error) {
    // Root without that capability, as in some containers.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') throw error
  }
}

async function handOverFolder(path: string, owner: Owner): Promise<void> {
  // Windows cannot open a folder.
  if (process.getuid?.() !== 0) return
  const folder = await open(path, constants.O_DIRECTORY | constants.O_NOFOLLOW)
  try {
    await handOver(folder, owner)
  } finally {
    await folder.close()
  }
}
