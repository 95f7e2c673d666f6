/** A disk of a few megabytes that can fill up and fail: a file that holds a file system. */
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, open, rm, truncate, writeFile, type FileHandle } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe } from '@jest/globals'

/** Bytes. The smallest ext4 with room for a database. */
const SIZE = 12 * 1024 * 1024
const uid = process.getuid?.() ?? 0
const gid = process.getgid?.() ?? 0

export interface SmallDisk {
  readonly path: string
  /** Uses up the space that is left. */
  fill(): Promise<void>
  /** Frees that space. */
  empty(): Promise<void>
  /** Makes the disk fail: it is read-only from now on, for open files too. */
  fail(): Promise<void>
  /** Makes it writable again, or read-only from the start. No file on it may be open. */
  remount(mode: 'rw' | 'ro'): Promise<void>
  remove(): Promise<void>
}

/** A user's PATH may lack the administrator's programs. */
const env = { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` }

const run = (program: string, ...args: string[]) => promisify(execFile)(program, args, { env })

async function asRoot(program: string, ...args: string[]): Promise<void> {
  await (uid === 0 ? run(program, ...args) : run('sudo', '-n', program, ...args))
}

/** Writes until there is no room for this many bytes. */
async function writeAll(file: FileHandle, size: number): Promise<void> {
  try {
    for (const bytes = Buffer.alloc(size); ;) await file.write(bytes)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
  }
}

/** @throws Error if this process may not mount disks. */
export async function mountSmallDisk(): Promise<SmallDisk> {
  const folder = await mkdtemp(join(tmpdir(), 'disk-'))
  const [image, path] = [join(folder, 'image'), join(folder, 'disk')]
  const filler = join(path, 'filler')
  const mount = (mode: string) => asRoot('mount', '-o', `loop,${mode}`, image, path)
  const removeFolder = () => rm(folder, { recursive: true, force: true })
  try {
    await mkdir(path)
    await writeFile(image, '')
    await truncate(image, SIZE)
    // Blocks of the size of SQLite's pages, none reserved for root.
    const owner = `root_owner=${uid}:${gid}`
    await run('mkfs.ext4', '-q', '-b', '4096', '-m', '0', '-E', owner, image)
    await mount('rw')
  } catch (error) {
    await removeFolder()
    throw error
  }
  return {
    path,
    async fill() {
      const file = await open(filler, 'a')
      for (const size of [65_536, 1024, 1]) await writeAll(file, size)
      await file.sync()
      await file.close()
    },
    empty: () => rm(filler),
    fail: () => asRoot('mount', '-o', 'remount,abort', path),
    async remount(mode) {
      await asRoot('umount', path)
      await mount(mode)
    },
    async remove() {
      await asRoot('umount', path)
      await removeFolder()
    },
  }
}

const mayMount = await mountSmallDisk().then(
  (disk) => disk.remove().then(() => true),
  () => false,
)
const WHY = 'skipped: needs mkfs.ext4 and the right to mount a disk'

/** Tests that need a disk. With REQUIRE_FAULTS=1 they fail instead of being skipped if none can be mounted. */
export function describeDisk(name: string, tests: () => void): void {
  if (mayMount || process.env['REQUIRE_FAULTS'] === '1') describe(name, tests)
  else describe.skip(`${name} (${WHY})`, tests)
}
