import { randomUUID } from 'node:crypto'
import { mkdir, open, readdir, rename, rm, stat, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { COMMIT, finishCommit, syncFolder } from '../../keystore/folder-transaction.ts'

const STAGED = '.staged-'

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
  const staged = join(folder, STAGED + randomUUID())
  await mkdir(staged, { mode: 0o700 })
  const { uid, gid } = await stat(folder)
  const [write, remove]: [string[], string[]] = [[], []]
  for (const [name, content] of Object.entries(changes)) {
    if (content === null) {
      remove.push(name)
    } else {
      write.push(name)
      await writeDurably(join(staged, name), content, async (file) => {
        if (process.getuid?.() === 0) await file.chown(uid, gid)
      })
    }
  }
  await writeDurably(
    join(staged, `manifest-${randomUUID()}.json`),
    JSON.stringify({ write, remove }),
  )
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

async function writeDurably(
  path: string,
  content: string,
  prepare?: (file: FileHandle) => Promise<void>,
): Promise<void> {
  const file = await open(path, 'wx', 0o600)
  try {
    await prepare?.(file)
    await file.writeFile(content)
    await file.sync()
  } finally {
    await file.close()
  }
}
