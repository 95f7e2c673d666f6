// `npm run test:packages`: packs the client and the service, installs them into empty projects as
// an app and services would, checks the types, and lets the app call the services with a real
// server.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { freePort } from './free-port.ts'
import { reach } from './package-files.ts'
import { serviceExample, type Framework } from './service-examples.ts'

const PROJECT = join(import.meta.dirname, '..')
const scratch = mkdtempSync(join(tmpdir(), 'packages-'))
const running: ChildProcess[] = []

/** An app that signs up, signs in again, and calls the server and the services. */
const APP = `import { AuthClient, hasCode, memoryStore, type Session } from '@jwe-auth-server/client'
// Not loaded, because each needs another package.
import type { fileStore } from '@jwe-auth-server/client/node'
import type { scryptPassword } from '@jwe-auth-server/client/scrypt'

export type Optional = [ReturnType<typeof fileStore>, ReturnType<typeof scryptPassword>]

const [server = '', ...services] = process.argv.slice(2)
const auth = new AuthClient({ server, services, store: memoryStore() })
const person = { email: 'ada@mail.test', password: 'a long and winding road' }
await auth.signUp(person)
await auth.signOut()
const refused = await auth.fetch('/account').catch((error: unknown) => hasCode(error, 'not_signed_in'))
const session: Session = await auth.signIn(person)
const account = await (await auth.fetch('/account')).json()
const greetings = []
for (const service of services) greetings.push(await (await auth.fetch(service)).json())
console.log(JSON.stringify({ refused, sub: session.claims.sub, account, greetings }))
`

/** The services in docs/another-service.md, with the packages that each needs besides ours. */
const SERVICES: Readonly<Record<Framework, readonly string[]>> = {
  koa: ['koa'],
  express: ['express', '@types/express'],
  fastify: ['fastify'],
  hono: ['hono', '@hono/node-server'],
}

function run(cwd: string, command: string, ...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(command, args, {
    cwd,
    encoding: 'utf8',
    // On Windows, npm is a script.
    shell: process.platform === 'win32',
  })
  if (status === 0) return stdout
  throw new Error(`\`${[command, ...args].join(' ')}\` failed:\n${stdout}${stderr}`)
}

/** Starts a program and waits until it has printed a text. */
async function start(cwd: string, file: string, env: object, ready: string): Promise<void> {
  const child = spawn(process.execPath, [file], { cwd, env: { ...process.env, ...env } })
  running.push(child)
  let printed = ''
  await new Promise<void>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk) => {
        printed += String(chunk)
        if (printed.includes(ready)) resolve()
      })
    }
    child.once('exit', () => {
      reject(new Error(`${file} ended:\n${printed}`))
    })
  })
}

/**
 * Installs packages into a new project.
 *
 * @param types Whose declarations it has. With those of Node, the declarations of our package are
 *   checked too.
 */
function makeProject(
  name: string,
  text: string,
  packages: readonly string[],
  types: readonly 'node'[],
): string {
  const folder = join(scratch, name)
  mkdirSync(folder)
  const compilerOptions = {
    target: 'es2023',
    lib: ['es2023', 'dom'],
    module: 'nodenext',
    strict: true,
    types,
    exactOptionalPropertyTypes: true,
    skipLibCheck: types.length === 0,
  }
  const files = {
    'package.json': { name, private: true, type: 'module' },
    'tsconfig.json': { compilerOptions, files: ['index.ts'] },
  }
  for (const [path, json] of Object.entries(files)) {
    writeFileSync(join(folder, path), JSON.stringify(json))
  }
  writeFileSync(join(folder, 'index.ts'), text)
  const quietly = ['--no-audit', '--no-fund', '--ignore-scripts', '--prefer-offline']
  run(folder, 'npm', 'install', ...quietly, ...packages)
  return folder
}

const compile = (folder: string): string =>
  run(folder, process.execPath, join(PROJECT, 'node_modules/typescript/bin/tsc'))

/** Every package in a project's node_modules. */
function installed(folder: string): string[] {
  const lock = JSON.parse(readFileSync(join(folder, 'package-lock.json'), 'utf8')) as {
    packages: object
  }
  return Object.keys(lock.packages)
    .filter((path) => path !== '')
    .map((path) => path.replace('node_modules/', ''))
}

async function main(): Promise<void> {
  run(PROJECT, process.execPath, 'scripts/build.js', '--if-stale')
  const folders = ['client', 'service'].map((name) => join(PROJECT, 'dist/packages', name))
  run(scratch, 'npm', 'pack', '--pack-destination', scratch, ...folders)
  const tarball = (name: string) => {
    const file = readdirSync(scratch).find((found) => found.includes(`-${name}-`))
    if (file === undefined) throw new Error(`${name} was not packed.`)
    return join(scratch, file)
  }
  const localUrl = async () => `http://127.0.0.1:${await freePort()}`
  const issuer = await localUrl()

  const appText = `declare const process: { argv: string[] }\n${APP}`
  const app = makeProject('app', appText, [tarball('client')], [])
  compile(app)
  const packages = installed(app)
  if (packages.sort().join() !== '@jwe-auth-server/client') {
    throw new Error(
      `The client must install no other packages, but installed ${packages.join(', ')}.`,
    )
  }
  const verifier = join(PROJECT, 'dist/packages/service/server/resource-server/verifier.js')
  const loaded = reach([verifier]).packages
  if (loaded.some((name) => name.includes('koa'))) {
    throw new Error(`The verifier must not load Koa, but loads ${loaded.join(', ')}.`)
  }

  const env = {
    PORT: new URL(issuer).port,
    ISSUER: issuer,
    PRESERVE_SESSIONS_ON_REBOOT: '0',
    DATABASE_URL: `file:${join(scratch, 'auth.db')}`,
  }
  await start(PROJECT, 'dist/server/index.js', env, 'Ready at')
  const urls: string[] = []
  for (const [framework, needed] of Object.entries(SERVICES)) {
    const url = await localUrl()
    const text = serviceExample(framework as Framework, issuer, url)
    const packed = [tarball('service'), ...needed]
    const service = makeProject(framework, text, packed, ['node'])
    compile(service)
    await start(service, 'index.js', {}, 'listening')
    urls.push(url)
  }
  const { refused, sub, account, greetings } = JSON.parse(
    run(app, process.execPath, 'index.js', issuer, ...urls),
  ) as { refused: boolean; sub: string; account: { account: { id: string } }; greetings: unknown }
  const expected = JSON.stringify([true, sub, urls.map(() => ({ hello: sub }))])
  if (JSON.stringify([refused, account.account.id, greetings]) !== expected) {
    throw new Error('The app got unexpected answers.')
  }
  process.stdout.write(
    `Packages: an app installs ${packages.join(' and ')}. Services on ${Object.keys(SERVICES).join(', ')} take its tokens.\n`,
  )
}

try {
  await main()
} catch (error) {
  process.stdout.write(`${String(error)}\n`)
  process.exitCode = 1
} finally {
  for (const child of running) child.kill()
  rmSync(scratch, { recursive: true, force: true })
}
