/** A PostgreSQL server for the tests: in a temporary folder, on a Unix socket, removed afterwards. */
import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { chown, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { existsSync } from 'node:fs'
import { promisify } from 'node:util'
import pg from 'pg'

/** PostgreSQL refuses to run as root, so root runs it as `nobody`. */
const NOBODY = 65_534
const user = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {}

export interface PostgresServer {
  /** The URL of its own, empty database. */
  readonly url: string
  /** Stops the server; connections are cut. */
  stop(): Promise<void>
  start(): Promise<void>
  /** Kills the server and its processes, as a power cut would: unlogged tables are lost. */
  crash(): Promise<void>
  signal(name: NodeJS.Signals): void
  /** Stops the server and removes its folder. */
  remove(): Promise<void>
}

/** The folder of PostgreSQL's programs, or `undefined` if it is not installed. */
export async function findPostgres(): Promise<string | undefined> {
  const debian = '/usr/lib/postgresql'
  const versions = await readdir(debian).catch(() => [])
  const newestFirst = versions.toSorted((a, b) => Number(b) - Number(a))
  const folders = [
    ...newestFirst.map((version) => join(debian, version, 'bin')),
    ...(process.env['PATH'] ?? '').split(':'),
  ]
  return folders.find((folder) => existsSync(join(folder, 'initdb')))
}

/** Makes a database cluster and starts a server on it. */
export async function startPostgres(): Promise<PostgresServer> {
  const programs = await findPostgres()
  if (programs === undefined) throw new Error('PostgreSQL is not installed.')
  const folder = await mkdtemp(join(tmpdir(), 'postgres-'))
  if (user.uid !== undefined) await chown(folder, user.uid, user.gid)
  const data = join(folder, 'data')
  await promisify(execFile)(
    join(programs, 'initdb'),
    ['--pgdata', data, '--username=test', '--auth=trust', '--encoding=UTF8', '--locale=C'].concat(
      '--no-sync',
    ),
    { ...user, cwd: folder },
  )
  const url = `postgres://${encodeURIComponent(folder)}/postgres?user=test`
  let child: ChildProcess

  async function start(): Promise<void> {
    const settings = {
      listen_addresses: '',
      unix_socket_directories: folder,
      fsync: 'off',
      max_connections: '300',
      shared_buffers: '64MB',
      log_destination: 'stderr',
    }
    const options = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
    child = spawn(join(programs!, 'postgres'), ['-D', data, ...options], {
      ...user,
      cwd: folder,
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    let log = ''
    child.stderr!.setEncoding('utf8')
    for await (const text of child.stderr!.iterator({ destroyOnReturn: false })) {
      log += text as string
      if (log.includes('database system is ready to accept connections')) break
    }
    child.stderr!.resume()
    if (child.exitCode !== null) throw new Error(log)
  }

  async function end(signal: NodeJS.Signals): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill('SIGCONT')
    child.kill(signal)
    await exited
  }

  await start()
  return {
    url,
    start,
    // Fast shutdown.
    stop: () => end('SIGINT'),
    // Immediate shutdown: the next start recovers as after a crash.
    crash: () => end('SIGQUIT'),
    signal: (name) => void child.kill(name),
    async remove() {
      await end('SIGQUIT')
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** Creates a database on a server, unless it exists, and returns its URL. */
export async function createDatabase(
  server: string,
  name = `test_${randomUUID().replaceAll('-', '')}`,
): Promise<string> {
  try {
    await asAdmin(server, `create database ${name}`)
  } catch (error) {
    if ((error as { code?: string }).code !== '42P04') throw error
  }
  const url = new URL(server)
  url.pathname = `/${name}`
  return url.href
}

/** Runs one statement on its own connection. */
export async function asAdmin(url: string, statement: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query<Record<string, unknown>>(statement)).rows
  } finally {
    await client.end()
  }
}
