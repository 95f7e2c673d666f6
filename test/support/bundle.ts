/**
 * Bundles each program into one file, which starts five times as fast as from 600 TypeScript modules.
 * `.ci/run` starts the programs that users start.
 */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { afterAll } from '@jest/globals'
import { buildSync, type BuildOptions } from 'esbuild'

export const PROJECT_ROOT = resolve(import.meta.dirname, '../..')
/** Inside the project, so that Node finds the packages and the programs find their folders. */
const CACHE = join(PROJECT_ROOT, 'node_modules/.cache')

let folder: string | undefined
const bundles = new Map<string, string>()
afterAll(() => {
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
})

/** The path of a bundled program. Each test file bundles it once. */
export function bundled(script: string): string {
  const known = bundles.get(script)
  if (known !== undefined) return known
  const outfile = bundle({ entryPoints: [script] }, basename(script, '.ts'))
  bundles.set(script, outfile)
  return outfile
}

/** The path of a bundled program that is in no file. Its imports are relative to the project. */
export const bundledText = (contents: string): string =>
  bundle({ stdin: { contents, resolveDir: PROJECT_ROOT, loader: 'ts' } }, 'text')

let count = 0

function bundle(source: Pick<BuildOptions, 'entryPoints' | 'stdin'>, name: string): string {
  if (folder === undefined) {
    mkdirSync(CACHE, { recursive: true })
    folder = mkdtempSync(join(CACHE, 'programs-'))
    // The server starts threads from it, so it stays a file.
    const worker = 'server/passwords/hash-worker.js'
    copyFileSync(join(PROJECT_ROOT, worker), join(folder, basename(worker)))
  }
  const outfile = join(folder, `${++count}-${name}.mjs`)
  buildSync({
    absWorkingDir: PROJECT_ROOT,
    ...source,
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    // These packages load native code.
    external: ['libsql', '@node-rs/argon2'],
    // CommonJS packages need `require`.
    banner: {
      js: `import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);`,
    },
    logLevel: 'warning',
  })
  return outfile
}
