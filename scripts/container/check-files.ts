import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import type { User } from './namespaces.ts'

/** All that the image's folder may have. */
const TOP = ['data', 'dist', 'keys', 'node_modules', 'package.json', 'scripts']
const OWN = ['data', 'keys']
const PRIVATE = /(?:^|\/)(?:\.env[^/]*|\.git|[^/]+\.(?:key|db|pem)|[^/]+\.test\.\w+)$/

interface Users {
  /** Who the server runs as. */
  readonly server: User
  /** The required owner of data/ and keys/. It differs from `server` only in tests. */
  readonly folders: User
}

/**
 * Checks the files of a built image: no more than the server needs, nothing private, and nothing
 * that the server's user could change but its own folders.
 *
 * @returns How many files there are.
 * @throws Error naming what is wrong.
 */
export function checkFiles(app: string, lockFile: string, { server, folders }: Users): number {
  const top = readdirSync(app).sort()
  if (top.join() !== TOP.join())
    throw new Error(`The image has ${top.join(', ')}, and should have ${TOP.join(', ')}.`)
  for (const folder of OWN) {
    if (readdirSync(join(app, folder)).length > 0) throw new Error(`${folder}/ is not empty.`)
    const { mode, uid } = lstatSync(join(app, folder))
    if ((mode & 0o777) !== 0o700 || uid !== folders.uid) {
      throw new Error(`${folder}/ must belong to the server's user, and to nobody else.`)
    }
  }
  const { packages } = JSON.parse(readFileSync(lockFile, 'utf8')) as {
    packages: Readonly<Record<string, { dev?: boolean; devOptional?: boolean }>>
  }
  const unneeded = Object.entries(packages)
    .filter(([path, { dev }]) => dev === true && existsSync(join(app, path)))
    .map(([path]) => path)
  if (unneeded.length > 0) throw new Error(`Only development needs ${unneeded.join(', ')}.`)
  return TOP.filter((name) => !OWN.includes(name))
    .map((name) => checkBelow(app, join(app, name), server))
    .reduce((sum, count) => sum + count)
}

function checkBelow(app: string, path: string, user: User): number {
  const { mode, uid, gid } = lstatSync(path)
  const isLink = (mode & 0o170_000) === 0o120_000
  const isWritable =
    uid === user.uid || (gid === user.gid && (mode & 0o020) !== 0) || (mode & 0o002) !== 0
  const name = relative(app, path)
  if (isWritable && !isLink) throw new Error(`The server's user could change ${name}.`)
  if (PRIVATE.test(name) && !name.startsWith('node_modules/')) {
    throw new Error(`${name} must not be in the image.`)
  }
  if ((mode & 0o170_000) !== 0o040_000) return 1
  return readdirSync(path)
    .map((entry) => checkBelow(app, join(path, entry), user))
    .reduce((sum, count) => sum + count, 0)
}
