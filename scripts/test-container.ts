// `npm run test:container`: builds the image and runs it without a container engine: every RUN, the CMD and the
// HEALTHCHECK, in namespaces of their own, with only the files that the Dockerfile copies. Checks compose.yaml.
// Needs Linux, root and util-linux. Not tried here: the registry's base images and their entry point, Compose itself.
import { execFileSync, spawnSync } from 'node:child_process'
import { chownSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'
import { AuthClient, memoryStore } from '../client/index.ts'
import { buildImage, type Image } from './container/build-image.ts'
import { checkCompose, COMPOSE_PACKAGES } from './container/check-compose.ts'
import { checkFiles } from './container/check-files.ts'
import * as namespaces from './container/namespaces.ts'
import { freePort } from './free-port.ts'
import { installApart, nodePackage } from './node-versions.ts'

const PROJECT = join(import.meta.dirname, '..')
const read = (name: string) => readFileSync(join(PROJECT, name), 'utf8')
const print = (line: string) => process.stdout.write(`${line}\n`)
const { finish } = namespaces

function expect(condition: boolean, sentence: string): asserts condition {
  if (!condition) throw new Error(sentence)
}

/** Whether this machine can run the test. */
const isAble = (): boolean =>
  process.getuid?.() === 0 &&
  spawnSync('unshare', ['--mount', '--pid', '--fork', 'true']).status === 0

/** The programs that take the place of the base image: its version of Node, and this machine's npm. */
function prepare(scratch: string) {
  const major = /^FROM node:(\d+)-slim/m.exec(read('Dockerfile'))?.[1]
  expect(major !== undefined, 'The Dockerfile must pin a major version: FROM node:<major>-slim.')
  const modules = installApart(join(scratch, 'tools'), {
    ...COMPOSE_PACKAGES,
    node: nodePackage(major),
  })
  const npm = realpathSync(execFileSync('which', ['npm'], { encoding: 'utf8' }).trim())
  const npmCache = execFileSync('npm', ['config', 'get', 'cache'], { encoding: 'utf8' }).trim()
  mkdirSync(npmCache, { recursive: true })
  const base = { node: join(modules, 'node/bin/node'), npm: dirname(dirname(npm)), npmCache }
  return { modules, base }
}

/** Runs the image as compose.yaml does: read-only but for two volumes. */
async function tryImage(image: Image, scratch: string): Promise<void> {
  const volumes = { '/app/data': join(scratch, 'data'), '/app/keys': join(scratch, 'keys') }
  for (const folder of Object.values(volumes)) {
    mkdirSync(folder, { mode: 0o700 })
    chownSync(folder, image.user.uid, image.user.gid)
  }
  const port = await freePort()
  const server = `http://127.0.0.1:${port}`
  const env = {
    HOME: '/home/node',
    PORT: String(port),
    ISSUER: server,
    PRIVATE_KEY_PASSPHRASE: 'long and random',
  }
  const container = { ...image, volumes, env: { ...image.env, ...env } }
  const start = (...command: string[]) => namespaces.startContainer(container, command)

  const early = await finish(start(...image.command.args), 30)
  expect(early.code === 1, `Without keys the server must not start:\n${early.output}`)
  const keys = await finish(start('npm', 'run', '-s', 'keys', '--', 'generate'), 30)
  expect(keys.code === 0, `The keys were not made:\n${keys.output}`)
  for (const path of ['/app/dist/x', '/app/x', '/etc/x']) {
    const { code } = await finish(start('touch', path), 30)
    expect(code !== 0, `${path} could be written.`)
  }

  const running = start(...image.command.args)
  const ended = finish(running, 60)
  expect(image.healthCheck.isExec && image.command.isExec, 'CMD and HEALTHCHECK need no shell.')
  const isHealthy = async () => {
    const check = namespaces.enterContainer(running, container, image.healthCheck.args)
    return (await finish(check, 10)).code === 0
  }
  const failed = ended.then(({ output }) => {
    throw new Error(`The server ended:\n${output}`)
  })
  failed.catch(() => undefined)
  const untilHealthy = async () => {
    while (!(await isHealthy())) await delay(200)
  }
  await Promise.race([untilHealthy(), failed])
  const other = { ...container, env: { ...container.env, PORT: String(await freePort()) } }
  const wrong = namespaces.enterContainer(running, other, image.healthCheck.args)
  expect((await finish(wrong, 10)).code === 1, 'The health check must fail without a server.')

  const client = new AuthClient({ server, store: memoryStore() })
  await client.signUp({ email: 'ada@mail.test', password: 'a long and winding road' })
  const answer = await client.fetch('/account')
  expect(answer.status === 200, `GET /account answered ${answer.status}.`)
  process.kill(namespaces.firstProcess(running), 'SIGTERM')
  const { code, output } = await ended
  expect(code === 0 && output.includes('"msg":"stopped"'), `SIGTERM gave ${code}:\n${output}`)
}

async function main(scratch: string): Promise<void> {
  const { modules, base } = prepare(scratch)
  const image = await buildImage({
    dockerfile: read('Dockerfile'),
    ignore: read('.dockerignore'),
    context: PROJECT,
    scratch: join(scratch, 'stages'),
    base,
    print,
  })
  expect(image.user.uid !== 0, 'The last USER must not be root.')
  const app = join(image.root, image.workdir)
  const users = { server: image.user, folders: image.user }
  const files = checkFiles(app, join(PROJECT, 'package-lock.json'), users)
  await tryImage(image, scratch)
  const env = {
    ISSUER: 'https://auth.mail.test',
    PRIVATE_KEY_PASSPHRASE: 'long and random',
    POSTGRES_PASSWORD: 'secret',
  }
  const config = checkCompose(read('compose.yaml'), modules, env, image.env)
  expect(config.production && config.preserveSessions, 'Compose must run the server in production.')
  print(
    `Container: an image of ${files} files on ${[...image.bases].join(' and ')}. As PID 1, unprivileged and read-only, the server refused to start without keys, became healthy, signed somebody up, and stopped at SIGTERM. compose.yaml holds.`,
  )
}

if (!isAble()) {
  print('Skipped: test:container needs Linux, root, and unshare of util-linux.')
  process.exit(process.env['REQUIRE_CONTAINER'] === '1' ? 1 : 0)
}
const scratch = mkdtempSync(join(tmpdir(), 'container-'))
// In memory, because some disks take a minute to delete that many files.
execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=3g,mode=755', 'tmpfs', scratch])
try {
  await main(scratch)
} catch (error) {
  print(String(error))
  process.exitCode = 1
} finally {
  execFileSync('umount', ['--lazy', scratch])
  rmdirSync(scratch)
}
