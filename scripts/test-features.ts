// `npm run test:features`: proves that each feature can be removed. In a copy of the project, it
// removes each feature in turn and checks the types and documentation of the rest. Then it removes
// all of them, and builds, lints and tests the rest. With names, such as
// `npm run test:features -- admin`, it removes only those, one at a time.
import { spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import process from 'node:process'
import {
  FEATURE_LIST,
  FEATURE_PAGE,
  featureExample,
  featureNames,
  filesOf,
  unlisted,
  withoutLineOf,
} from './feature-files.ts'

const PROJECT = join(import.meta.dirname, '..')
/** Files that are large, generated or secret. */
const NOT_COPIED = /^(node_modules|dist|coverage|out|\.git|data|\.env|keys\/(?!README\.md$).+)$/
const copy = mkdtempSync(join(tmpdir(), 'without-features-'))
const stash = mkdtempSync(join(tmpdir(), 'features-'))

function runIn(command: string, ...args: string[]): void {
  const { status } = spawnSync(command, args, {
    cwd: copy,
    stdio: ['ignore', 2, 2],
    // On Windows, npm is a script.
    shell: process.platform === 'win32',
  })
  if (status !== 0) throw new Error(`\`${[command, ...args].join(' ')}\` failed.`)
}

/** Both configurations of the compiler. */
function checkTypes(): void {
  for (const [name, project] of [
    ['all', '.'],
    ['server', 'server'],
  ] as const) {
    const state = join(stash, `${name}.tsbuildinfo`)
    runIn(
      ...(['node_modules/.bin/tsc', '--noEmit', '-p', project] as const),
      ...['--incremental', '--tsBuildInfoFile', state],
    )
  }
}

function check(): void {
  checkTypes()
  runIn('npm', 'run', '-s', 'docs:check')
}

const at = (path: string): string => join(copy, path)

function takeOut(name: string): () => void {
  const list = readFileSync(at(FEATURE_LIST), 'utf8')
  const page = readFileSync(at(FEATURE_PAGE), 'utf8')
  writeFileSync(at(FEATURE_LIST), unlisted(list, name))
  writeFileSync(at(FEATURE_PAGE), withoutLineOf(name, page))
  const moved = filesOf(name)
    .map((path, i): [string, string] => [at(path), join(stash, `${i}`)])
    .filter(([path]) => existsSync(path))
  for (const [from, to] of moved) renameSync(from, to)
  return () => {
    for (const [from, to] of moved) renameSync(to, from)
    writeFileSync(at(FEATURE_LIST), list)
    writeFileSync(at(FEATURE_PAGE), page)
  }
}

const report = (text: string): boolean => process.stdout.write(`${text}\n`)

function main(names: readonly string[]): void {
  cpSync(PROJECT, copy, {
    recursive: true,
    filter: (path) => !NOT_COPIED.test(relative(PROJECT, path).replaceAll('\\', '/')),
  })
  symlinkSync(join(PROJECT, 'node_modules'), at('node_modules'), 'junction')
  process.chdir(copy)
  const all = featureNames()
  for (const name of names.length > 0 ? names : all) {
    const putBack = takeOut(name)
    check()
    putBack()
    report(`Without ${name}: types and documentation pass.`)
  }
  if (names.length > 0) return

  for (const name of all) {
    takeOut(name)
    for (const [i] of filesOf(name).entries()) rmSync(join(stash, `${i}`), { recursive: true })
  }
  check()
  for (const script of ['build', 'lint']) runIn('npm', 'run', '-s', script)
  runIn('npm', 'test', '-s', '--', '--coverage=false')
  report(`Without all ${all.length}: the core builds, and passes lint and its tests.`)

  const [path, text] = featureExample(readFileSync('README.md', 'utf8'))
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
  checkTypes()
  runIn('npx', 'eslint', '--max-warnings', '0', path)
  report(`With ${path} as in the README: types and lint pass.`)
}

try {
  main(process.argv.slice(2))
} catch (error) {
  process.stdout.write(`${String(error)}\n`)
  process.exitCode = 1
} finally {
  process.chdir(PROJECT)
  for (const folder of [copy, stash]) rmSync(folder, { recursive: true, force: true })
}
