// `npm run test:node`: what depends on Node's cryptography and HTTP the most, on every supported version of Node
// but the one that runs this: the tests of tokens, keys and the contract, and a round trip with the built server.
// Arguments are the versions to try instead.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { installApart, nodePackage } from './node-versions.ts'

const SUPPORTED = ['20', '22', '24']
const TESTS = [
  'test/token',
  'test/keystore',
  'test/client/contract.test.ts',
  'test/scenarios/foreign-client.test.ts',
  'test/scenarios/index.test.ts',
]

function run(node: string, ...args: string[]): void {
  const { status } = spawnSync(node, ['--disable-warning=ExperimentalWarning', ...args], {
    stdio: 'inherit',
  })
  if (status !== 0) throw new Error(`${[node, ...args].join(' ')} failed.`)
}

const current = process.versions.node.split('.')[0] ?? ''
const [, , ...asked] = process.argv
const versions = asked.length > 0 ? asked : SUPPORTED.filter((version) => version !== current)
const scratch = mkdtempSync(join(tmpdir(), 'node-versions-'))
try {
  run(process.execPath, 'scripts/build.js', '--if-stale')
  const packages = versions.map((version) => [`node${version}`, nodePackage(version)])
  const modules = installApart(scratch, Object.fromEntries(packages) as Record<string, string>)
  for (const version of versions) {
    const node = join(modules, `node${version}`, 'bin/node')
    process.stdout.write(`\nNode ${version}\n`)
    run(node, 'dist/example/demo.js')
    run(
      node,
      ...['--experimental-vm-modules', 'node_modules/jest/bin/jest.js'],
      '--coverage=false',
      ...TESTS,
    )
  }
  process.stdout.write(
    `The demo and the tests of tokens, keys and the contract pass on Node ${versions.join(' and ')}.\n`,
  )
} catch (error) {
  process.stdout.write(`${String(error)}\n`)
  process.exitCode = 1
} finally {
  rmSync(scratch, { recursive: true, force: true })
}
