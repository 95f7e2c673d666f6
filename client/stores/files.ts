import { randomUUID } from 'node:crypto'
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { AuthError } from '../errors.ts'

/** Files that only their owner can read. Each function throws AuthError `store_failed`. */

/** The names in a folder; none if the folder does not exist. */
export async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw storeFailed(`${folder} cannot be read.`, error)
  }
}

export async function readIfThere(path: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
  try {
    return new Uint8Array(await readFile(path))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw storeFailed(`${path} cannot be read.`, error)
  }
}

/** Writes a file atomically: if the program is killed, the previous content remains. */
export async function writeWhole(path: string, data: string | Uint8Array): Promise<void> {
  const temporary = `${path}.${randomUUID()}.tmp`
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    await writeFile(temporary, data, { mode: 0o600, flush: true })
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined)
    throw storeFailed(`${path} cannot be written.`, error)
  }
}

/** Moves a file, over one that is there. */
export async function move(from: string, to: string): Promise<void> {
  try {
    await rename(from, to)
  } catch (error) {
    throw storeFailed(`${from} cannot be renamed.`, error)
  }
}

/** Removes a file or a folder, if it is there. */
export async function remove(path: string): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true })
  } catch (error) {
    throw storeFailed(`${path} cannot be removed.`, error)
  }
}

export const storeFailed = (message: string, cause?: unknown): AuthError =>
  new AuthError('store_failed', message, { cause })
