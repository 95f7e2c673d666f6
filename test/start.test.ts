import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { copyFile, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import Libsql from 'libsql'
import type { Config } from '../server/config.ts'
import { generateKeys } from '../server/keystore/folder.ts'
import { createLogger } from '../server/logger.ts'
import { startServer, type RunningServer } from '../server/start.ts'
import { StartupError } from '../server/startup-error.ts'
import { TestClient } from './support/client.ts'
import { testConfig } from './support/config.ts'
import { getRaw, openConnection } from './support/process.ts'

let folder: string
let databaseFile: string
let keysDir: string
/** What was logged by the last server that was started. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- tests read what should be there
let logs: any[]
const running: RunningServer[] = []

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'start-'))
  databaseFile = join(folder, 'data', 'auth.db')
  keysDir = join(folder, 'keys')
})
afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.stop()))
  await rm(folder, { recursive: true, force: true })
})

async function start(changes: Partial<Config> = {}): Promise<RunningServer> {
  const lines: unknown[] = (logs = [])
  const logger = createLogger('trace', { write: (line) => void lines.push(JSON.parse(line)) })
  const config = testConfig({ port: 0, databaseFile, keysDir, ...changes })
  const server = await startServer(config, logger)
  running.push(server)
  return server
}

async function stop(server: RunningServer): Promise<void> {
  running.splice(running.indexOf(server), 1)
  await server.stop()
}

async function problemsOf(changes: Partial<Config>): Promise<readonly string[]> {
  const error = await start(changes).catch((error: unknown) => error)
  expect(error).toBeInstanceOf(StartupError)
  return (error as StartupError).problems
}

/** How many tables the database's own file has, without what is still in the one beside it. */
async function tablesInFile(): Promise<unknown> {
  await copyFile(databaseFile, join(folder, 'copy.db'))
  const copy = new Libsql(join(folder, 'copy.db'))
  const { n } = copy.prepare('select count(*) as n from sqlite_master').get() as { n: number }
  copy.close()
  return n
}

const makeKeys = () =>
  generateKeys({ path: keysDir, passphrase: undefined, algorithms: testConfig().algorithms })

describe('a server that starts', () => {
  const hasIPv6 = Object.values(networkInterfaces()).some((all) =>
    all?.some(({ address }) => address === '::1'),
  )
  test.each([
    ['127.0.0.1', /^http:\/\/127\.0\.0\.1:\d+$/],
    ...(hasIPv6 ? [['::1', /^http:\/\/\[::1\]:\d+$/] as const] : []),
  ])('on %s answers at its URL', async (host, pattern) => {
    const { url } = await start({ host })
    expect(url).toMatch(pattern)
    const answer = await fetch(`${url}/readyz`)
    expect([answer.status, await answer.json()]).toEqual([200, { status: 'ready' }])
  })

  test.each([
    [false, /Sessions end with a reboot/],
    [true, /Sessions survive a reboot/],
  ])('with preserveSessions %s says so last, and where it is', async (preserveSessions, mode) => {
    await makeKeys()
    const { url } = await start({ preserveSessions })
    const last = logs.at(-1)
    expect(last).toMatchObject({
      level: 'info',
      url,
      preserve_sessions: preserveSessions,
      database: databaseFile,
      node: process.version,
    })
    expect(last.msg).toMatch(mode)
    expect(last.msg).toContain(`Ready at ${url}. `)
    expect(last.msg).toContain(databaseFile)
  })

  test('logs what the operator ought to know about the keys', async () => {
    await makeKeys()
    await start({ preserveSessions: true })
    expect(logs.filter(({ level }) => level === 'warn')).toEqual(
      ['sig', 'enc'].map((use) =>
        expect.objectContaining({
          msg: expect.stringContaining(`${use}.key is not protected by a passphrase`),
        }),
      ),
    )
  })
})

describe('the sessions of the last run', () => {
  /** A server with two sessions, stopped again. */
  async function leaveTwoSessions(preserveSessions: boolean) {
    const server = await start({ preserveSessions })
    const client = await TestClient.registered(server.url)
    const session = await client.signUp()
    await client.login(session.answer.body.account.email)
    await stop(server)
  }
  const removals = (): unknown[] => logs.filter(({ msg }) => /sessions of the last run/.test(msg))

  test('are removed and counted when the keys are new', async () => {
    await start()
    expect(removals()).toEqual([expect.objectContaining({ removed: 0 })])
    await leaveTwoSessions(false)
    await start()
    expect(removals()).toEqual([
      expect.objectContaining({ removed: 2, msg: 'removed 2 sessions of the last run' }),
    ])
  })

  test('stay when the keys do', async () => {
    await makeKeys()
    await leaveTwoSessions(true)
    const server = await start({ preserveSessions: true })
    expect(removals()).toEqual([])
    await stop(server)
    await start({ preserveSessions: false })
    expect(removals()).toEqual([expect.objectContaining({ removed: 2 })])
  })

  test('are left alone by a server that cannot start', async () => {
    const { url } = await start()
    const client = await TestClient.registered(url)
    const session = await client.signUp()
    // The same command, typed again in another terminal.
    await problemsOf({ port: Number(new URL(url).port) })
    expect((await client.sendAs(session, 'GET', '/account')).status).toBe(200)
  })
})

describe('a server that cannot start says why', () => {
  test('when the port is taken, and closes the database', async () => {
    const other = await start({ databaseFile: ':memory:' })
    const { port } = new URL(other.url)
    expect(await problemsOf({ port: Number(port) })).toEqual([
      expect.stringMatching(new RegExp(`^Port ${port} of 127\\.0\\.0\\.1 is taken.*another PORT`)),
    ])
    expect(await tablesInFile()).toBeGreaterThan(3)
  })

  test.each(['203.0.113.1', 'no host at all'])('when HOST is %j', async (host) => {
    expect(await problemsOf({ host })).toEqual([
      expect.stringMatching(new RegExp(`cannot listen on HOST ${host}, PORT 0 \\(E[A-Z_]+\\)`)),
    ])
  })

  test('keys and database together', async () => {
    await mkdir(databaseFile, { recursive: true })
    expect(await problemsOf({ preserveSessions: true })).toEqual([
      expect.stringMatching(/^There are no keys in .*npm run keys/),
      expect.stringMatching(/^The database .*auth\.db cannot be opened/),
    ])
  })
})

describe('a server that stops', () => {
  test('finishes the request in flight, and sends new ones elsewhere', async () => {
    const server = await start()
    const body = JSON.stringify({ email: 'nobody@mail.test', password: 'x', client_id: 'x' })
    const connection = await openConnection(server.url)
    connection.send(
      `POST /account/login HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n` +
        `Expect: 100-continue\r\nContent-Length: ${body.length}\r\n\r\n`,
    )
    // The server has seen the request when it asks for the body.
    await connection.until(/100 Continue/)
    connection.send(body.slice(0, 10))
    const stopped = stop(server)

    expect(await getRaw(server.url, '/readyz')).toMatch(/ 503 [\s\S]*\{"status":"unavailable"\}$/)
    expect(await getRaw(server.url, '/healthz')).toMatch(/ 200 [\s\S]*\{"status":"ok"\}$/)
    for (const path of ['/account', '/.well-known/jwks.json', '/nowhere']) {
      const answer = await getRaw(server.url, path)
      expect(answer).toMatch(/^HTTP\/1\.1 503 /)
      expect(answer).toMatch(/^Retry-After: \d+\r$/im)
      expect(answer).toMatch(/"error":"temporarily_unavailable"/)
    }

    connection.send(body.slice(10))
    expect(await connection.ended).toMatch(/^HTTP\/1\.1 4\d\d [\s\S]*"error":"invalid_/m)
    await stopped
    await expect(openConnection(server.url)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })

  test('closes its database, and leaves all of it in the one file', async () => {
    const server = await start()
    expect(await tablesInFile()).toBe(0)
    await stop(server)
    expect(await tablesInFile()).toBeGreaterThan(3)
  })
})
