// Compiles the sources into dist/, bundles the client and the features' pages for browsers into
// dist/browser/, and makes the packages for apps and services in dist/packages/. `--if-stale` does
// this only if a source is newer than the last build, so that `npm start` works in a fresh clone,
// and starts at once after that. `--browser` only bundles.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { parseArgs } from 'node:util'

process.chdir(join(import.meta.dirname, '..'))
const STAMP = 'dist/.built'
const SOURCES = [
  'server',
  'client',
  'pkcs8',
  'example',
  'protocol',
  'scripts',
  'tsconfig.json',
  'tsconfig.build.json',
  'package.json',
  'package-lock.json',
]
const COMPILER = 'node_modules/typescript/bin/tsc'

function newest(path) {
  const stat = statSync(path)
  if (!stat.isDirectory()) return stat.mtimeMs
  return Math.max(stat.mtimeMs, ...readdirSync(path).map((name) => newest(`${path}/${name}`)))
}

function isFresh() {
  if (!existsSync(STAMP)) return false
  // A production install has no compiler, and uses the build that came before it.
  if (!existsSync(COMPILER)) return true
  const built = statSync(STAMP).mtimeMs
  return SOURCES.filter((path) => existsSync(path)).every((path) => newest(path) <= built)
}

function compile() {
  console.error('Compiling into dist/ …')
  rmSync('dist', { recursive: true, force: true })
  run(COMPILER, '-p', 'tsconfig.build.json')
}

/**
 * Waits until no other build runs. In a fresh clone, `npm start` and `npm run demo` in two
 * terminals would delete each other's files. The lock is SQLite's, which ends with the process,
 * even if it is killed.
 */
async function takeTurn() {
  const { default: Database } = await import('libsql')
  const lock = new Database('node_modules/.build-lock', { timeout: 300_000 })
  lock.exec('begin exclusive')
  process.on('exit', () => lock.close())
}

/** Runs a Node program. If it fails, exits with its code. */
function run(...program) {
  const { status } = spawnSync(process.execPath, program, { stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}

const { values } = parseArgs({
  options: { 'if-stale': { type: 'boolean' }, browser: { type: 'boolean' } },
})
if (values['if-stale'] && isFresh()) process.exit(0)
if (!existsSync(COMPILER)) {
  console.error('The TypeScript compiler is not installed. Run `npm ci`, then `npm run build`.')
  process.exit(1)
}
if (!values.browser) {
  await takeTurn()
  // The other build may have made this one unnecessary.
  if (values['if-stale'] && isFresh()) process.exit(0)
  compile()
}
const { bundle } = await import('./bundle.js')
const { gzipped } = await bundle('dist/browser')
console.error(`The client for browsers: ${(gzipped / 1000).toFixed(1)} kB gzipped.`)
if (!values.browser) {
  run('node_modules/tsx/dist/cli.mjs', 'scripts/write-packages.ts')
  writeFileSync(STAMP, '')
}
