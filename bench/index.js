// `npm run bench` compares this server with its peers. `npm run bench -- timing`, `-- sign-ins`,
// `-- sealed` and `-- soak` run other measurements.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'

const others = ['timing', 'sign-ins', 'sealed', 'soak']
const [, , name] = process.argv
if (others.includes(name)) {
  process.argv.splice(2, 1)
  await import(`./${name}.js`)
} else if (name !== undefined && !name.startsWith('--')) {
  console.error(
    'Usage: npm run bench -- [timing [tries] | sign-ins [seconds] | sealed [rounds] | soak [minutes] [sessions] | --scale --with NAME=value --json …]',
  )
  process.exitCode = 2
} else {
  if (!existsSync(join(import.meta.dirname, 'node_modules'))) installPeers()
  await import('./compare.js')
}

/** The peers are dependencies of the bench only, so that nobody else installs them. */
function installPeers() {
  const options = { cwd: import.meta.dirname, stdio: ['ignore', 'inherit', 'inherit'] }
  const { status } = spawnSync(
    'npm',
    ['ci', '--ignore-scripts', '--no-audit', '--no-fund'],
    options,
  )
  if (status !== 0) throw new Error('The peers could not be installed.')
}
