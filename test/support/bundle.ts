/**
 * Programs in one file each: Node starts one five times as fast as from the sources, where it has
 * to compile TypeScript and load 600 modules. `.ci/run` starts what users start.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { afterAll } from '@jest/globals'
import { buildSync } from 'esbuild'

export const PROJECT_ROOT = resolve(import.meta.dirname, '../..')
/** Below the project, where Node finds its packages, and the programs their folders. */
const CACHE = join(PROJECT_ROOT, 'node_modules/.cache')

let folder: string | undefined
const bundles = new Map<string, string>()
afterAll(() => {
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
})

/** The path of a program of the project, bundled once for each test file. */
export function bundled(script: string): string {
  const known = bundles.get(script)
  if (known !== undefined) return known
  if (folder === undefined) {
    mkdirSync(CACHE, { recursive: true })
    folder = mkdtempSync(join(CACHE, 'programs-'))
  }
  const outfile = join(folder, `${bundles.size}-${basename(script, '.ts')}.mjs`)
  buildSync({
    absWorkingDir: PROJECT_ROOT,
    entryPoints: [script],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    // They load machine code of their own.
    external: ['libsql', '@node-rs/argon2'],
    // For packages that are CommonJS.
    banner: {
      js: `import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);`,
    },
    logLevel: 'warning',
  })
  bundles.set(script, outfile)
  return outfile
}
