// Makes the packages for apps and services: the files of dist/ that they need, and a package.json.
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { reach } from './package-files.ts'

interface Package {
  readonly name: string
  readonly description: string
  /** In dist/packages/. */
  readonly folder: string
  /** Import path → file in dist/, without its extension. */
  readonly exports: Readonly<Record<string, string>>
  /** Entries whose dependencies are optional peers: only users of these entries install them. */
  readonly optional: readonly string[]
  /** Packages that its users have already installed. */
  readonly peers: readonly string[]
}

/** Yours to replace: the names under which you publish them. */
export const PACKAGES: readonly Package[] = [
  {
    name: '@jwe-auth-server/client',
    description: 'The client of jwe-auth-server, for browsers and Node.',
    folder: 'client',
    exports: { '.': 'client/index', './node': 'client/node', './scrypt': 'client/scrypt-password' },
    optional: ['./node', './scrypt'],
    peers: [],
  },
  {
    name: '@jwe-auth-server/service',
    description: 'For a service on any framework that takes the tokens of jwe-auth-server.',
    folder: 'service',
    exports: {
      '.': 'server/resource-server/index',
      './verifier': 'server/resource-server/verifier',
    },
    optional: [],
    peers: ['koa'],
  },
]

/** The members of the project's package.json that are used. */
export interface Root {
  readonly version: string
  readonly license: string
  readonly engines: Readonly<Record<string, string>>
  readonly dependencies: Readonly<Record<string, string>>
  readonly devDependencies: Readonly<Record<string, string>>
}

/**
 * Writes `dist/packages/<folder>` for each.
 *
 * @param dist Where the sources have been compiled to.
 */
export function writePackages(dist = 'dist'): void {
  const root = JSON.parse(readFileSync('package.json', 'utf8')) as Root
  for (const one of PACKAGES) {
    const folder = join(dist, 'packages', one.folder)
    rmSync(folder, { recursive: true, force: true })
    const { files, manifest } = makePackage(one, root, dist)
    for (const file of files) {
      mkdirSync(dirname(join(folder, file)), { recursive: true })
      const text = readFileSync(join(dist, file), 'utf8')
      // The source maps refer to sources that are not in the package.
      writeFileSync(join(folder, file), text.replace(/\n\/\/# sourceMappingURL=.*\s*$/, '\n'))
    }
    copyFileSync('LICENSE', join(folder, 'LICENSE'))
    writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`)
  }
}

/**
 * The files of a package, relative to `dist`, and its package.json.
 *
 * @throws Error if it imports a package that the project does not depend on.
 */
export function makePackage(one: Package, root: Root, dist: string) {
  const { name, description, exports, optional, peers } = one
  const at = (path: string) => join(dist, path)
  const filesOf = (paths: readonly string[]) =>
    reach(paths.flatMap((path) => [at(`${path}.js`), at(`${path}.d.ts`)]))
  const all = filesOf(Object.values(exports))
  const needed = filesOf(
    Object.entries(exports).flatMap(([entry, path]) => (optional.includes(entry) ? [] : [path])),
  ).packages
  const ranges: Readonly<Record<string, string>> = { ...root.devDependencies, ...root.dependencies }
  const select = (names: readonly string[]) => {
    const missing = names.find((dependency) => ranges[dependency] === undefined)
    if (missing !== undefined)
      throw new Error(`${name} imports ${missing}, which package.json does not name.`)
    return Object.fromEntries(names.map((dependency) => [dependency, ranges[dependency]]))
  }
  const left = all.packages.filter((dependency) => !needed.includes(dependency))
  const own = needed.filter((dependency) => !peers.includes(dependency))
  // Our types refer to theirs, which are in separate packages.
  const types = needed.map(typesOf).filter((dependency) => ranges[dependency] !== undefined)
  return {
    files: all.files.map((file) => file.slice(dist.length + 1).replaceAll('\\', '/')),
    manifest: {
      name,
      version: root.version,
      description,
      license: root.license,
      type: 'module',
      sideEffects: false,
      engines: root.engines,
      exports: Object.fromEntries(
        Object.entries(exports).map(([entry, path]) => [
          entry,
          { types: `./${path}.d.ts`, default: `./${path}.js` },
        ]),
      ),
      dependencies: select([...own, ...types].sort()),
      peerDependencies: select([...peers, ...left]),
      ...(left.length > 0 && {
        peerDependenciesMeta: Object.fromEntries(left.map((peer) => [peer, { optional: true }])),
      }),
    },
  }
}

/** `koa` → `@types/koa`, `@koa/cors` → `@types/koa__cors`. */
const typesOf = (name: string): string => `@types/${name.replace(/^@(.+)\//, '$1__')}`
