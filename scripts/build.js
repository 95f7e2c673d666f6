// Compiles the sources into dist/, bundles the client and the features' pages for browsers into
// dist/browser/, and makes the packages for apps and services in dist/packages/. `--if-stale` does it
// only when a source is newer than the last build, so that `npm start` on a fresh clone just works and
// on a built one starts at once. `--browser` bundles alone.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { parseArgs } from 'node:util'

process.chdir(join(import.meta.dirname, '..'))
const STAMP = 'dist/.built'
const SOURCES = [
  ...['server', 'client', 'pkcs8', 'example', 'protocol', 'scripts'],
  ...['tsconfig.json', 'tsconfig.build.json', 'package.json', 'package-lock.json'],
]
const COMPILER = 'node_modules/typescript/bin/tsc'

function newest(path) {
  const stat = statSync(path)
  if (!stat.isDirectory()) return stat.mtimeMs
  return Math.max(stat.mtimeMs, ...readdirSync(path).map((name) => newest(`${path}/${name}`)))
}

function isFresh() {
  if (!existsSync(STAMP)) return false
  // A production install has no compiler and runs what was built before it.
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
 * Waits until no other build runs. In a fresh clone, `npm start` and `npm run demo` in two terminals
 * would delete each other's files. The lock is SQLite's, since it ends with the process, however that ends.
 */
async function takeTurn() {
  const { default: Database } = await import('libsql')
  const lock = new Database('node_modules/.build-lock', { timeout: 300_000 })
  lock.exec('begin exclusive')
  process.on('exit', () => lock.close())
}

/** Runs a program of Node's, and ends with it if it fails. */
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
  // The build before may have just made what this one is for.
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
