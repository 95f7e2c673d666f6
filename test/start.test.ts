import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto'
import {
  copyFile,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { Server } from 'node:net'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import Libsql from 'libsql'
import type { Config } from '../server/config/config.ts'
import { generateKeys, rotateKeys } from '../server/commands/keys/folder-changes.ts'
import { loadKeys } from '../server/keystore/key-set.ts'
import { describeDatabase } from '../server/database/location.ts'
import { defineFeature, type Feature } from '../server/feature.ts'
import { createLogger } from '../server/log/logger.ts'
import { startServer, type RunningServer } from '../server/start.ts'
import { StartupError } from '../server/errors/startup-error.ts'
import { TestClient } from './support/client.ts'
import { testConfig } from './support/config.ts'
import { databaseAt, usedDatabaseFeatures } from './support/database.ts'
import { getRaw, openConnection } from './support/process.ts'
import { fakeIntervals, until } from './support/timers.ts'

let folder: string
let databaseFile: string
let database: string
let keysDir: string
/** What was logged by the last server that was started. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- tests read what should be there
let logs: any[]
const running: RunningServer[] = []

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'start-'))
  databaseFile = join(folder, 'data', 'auth.db')
  database = await databaseAt(databaseFile)
  keysDir = join(folder, 'keys')
})
afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.stop()))
  await rm(folder, { recursive: true, force: true })
})

/** Starts a server as if its process had begun a second ago, so that it need not wait. */
async function start(
  changes: Partial<Config> = {},
  startedAt = Date.now() - 1000,
  features: Feature[] = [],
): Promise<RunningServer> {
  const lines: unknown[] = (logs = [])
  const logger = createLogger('trace', { write: (line) => void lines.push(JSON.parse(line)) })
  const config = testConfig({ port: 0, database, keysDir, ...changes })
  const all = [...(await usedDatabaseFeatures()), ...features]
  const server = await startServer(config, all, logger, { startedAt })
  running.push(server)
  return server
}

async function stop(server: RunningServer): Promise<void> {
  running.splice(running.indexOf(server), 1)
  await server.stop()
}

async function problemsOf(
  changes: Partial<Config>,
  features: Feature[] = [],
): Promise<readonly string[]> {
  const error = await start(changes, undefined, features).catch((error: unknown) => error)
  expect(error).toBeInstanceOf(StartupError)
  return (error as StartupError).problems
}

/** The number of tables in the database file itself, without its WAL. */
async function tablesInFile(): Promise<unknown> {
  await copyFile(databaseFile, join(folder, 'copy.db'))
  const copy = new Libsql(join(folder, 'copy.db'))
  const { n } = copy.prepare('select count(*) as n from sqlite_master').get() as { n: number }
  copy.close()
  return n
}

const keyFolder = () => ({
  path: keysDir,
  passphrase: undefined,
  algorithms: testConfig().algorithms,
})
const makeKeys = () => generateKeys(keyFolder())

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
  ])(
    'with preserveSessions %s logs that last, with its URL and database',
    async (preserveSessions, mode) => {
      await makeKeys()
      const { url } = await start({ preserveSessions })
      const last = logs.at(-1)
      expect(last).toMatchObject({
        level: 'info',
        url,
        preserve_sessions: preserveSessions,
        database: describeDatabase(database),
        node: process.version,
      })
      expect(last.msg).toMatch(mode)
      expect(last.msg).toContain(`Ready at ${url}. `)
      expect(last.msg).toContain(describeDatabase(database))
    },
  )

  test('with preserved keys waits for the next second, since requests bound to this one may be replays', async () => {
    await makeKeys()
    const startedAt = Date.now()
    await start({ preserveSessions: true, database: databaseFile }, startedAt)
    expect(Date.now()).toBeGreaterThanOrEqual(Math.ceil(startedAt / 1000) * 1000 - 1)
  })

  test.each([
    ['http://auth.test', true, 1],
    ['https://auth.test', true, 0],
    ['http://auth.test', false, 0],
  ])(
    'as %s (production: %s) logs %i warnings about its issuer',
    async (issuer, production, count) => {
      await start({ issuer, production })
      const warnings = logs.filter(
        ({ level, msg }) => level === 'warn' && (msg as string).startsWith('ISSUER '),
      )
      expect(warnings).toHaveLength(count)
    },
  )

  test('logs the warnings about the keys', async () => {
    await makeKeys()
    await start({ preserveSessions: true })
    expect(logs.filter(({ level }) => level === 'warn')).toEqual(
      ['enc.key', 'enc.next.key', 'sig.key', 'sig.next.key'].map((name) =>
        expect.objectContaining({
          msg: expect.stringContaining(`${join(keysDir, name)} is not protected by a passphrase`),
        }),
      ),
    )
  })
})

test('in production warns of sessions that end with a reboot, and of an issuer without TLS', async () => {
  const warnings = () =>
    logs.filter(({ level }) => level === 'warn').map(({ msg }) => msg as string)
  await stop(
    await start({ production: true, issuer: 'https://auth.test', preserveSessions: false }),
  )
  expect(warnings()).toEqual([
    'PRESERVE_SESSIONS_ON_REBOOT is 0: every restart signs everybody out. Set it to 1 in production.',
  ])
  await stop(await start({ production: true, issuer: 'http://auth.test', preserveSessions: false }))
  expect(warnings()).toContain(
    'ISSUER is http://auth.test: set it to the public https URL of the server.',
  )
  logs.length = 0
  await start({ issuer: 'http://auth.test', preserveSessions: false })
  expect(warnings()).toEqual([])
})

describe('keys that are old', () => {
  const DAY = 86_400
  const ages = () => logs.filter(({ msg }) => /days old/.test(msg)).map(({ msg }) => msg as string)

  /** Makes keys, of which `name` is `age` seconds old. */
  async function makeOldKeys(name: string, age: number) {
    await makeKeys()
    // Without records a key is as old as its file, like an operator's own keys.
    await rm(join(keysDir, 'keys.json'))
    const time = Date.now() / 1000 - age
    await utimes(join(keysDir, name), time, time)
  }
  /** What /readyz has logged. */
  async function readiness(server: RunningServer) {
    expect((await fetch(`${server.url}/readyz`)).status).toBe(200)
    const line = () =>
      logs.find(({ route }) => route === '/readyz') as Record<string, unknown> | undefined
    await until(() => line() !== undefined)
    return [line()?.['key_age_days'], line()?.['key_overdue']]
  }

  test.each([
    ['sig.key', 91 * DAY, 91],
    ['enc.key', 1000 * DAY, 1000],
    ['enc.key', 90 * DAY + 60, 90],
  ])('are logged as a warning: %s, %i seconds', async (name, age, days) => {
    await makeOldKeys(name, age)
    const server = await start({ preserveSessions: true })
    expect(ages()).toEqual([`The keys are ${days} days old. Rotate them: npm run keys -- rotate`])
    expect(await readiness(server)).toEqual([days, true])
  })

  test.each([
    ['sig.key', 89 * DAY, 89],
    // Not in use yet.
    ['sig.next.key', 1000 * DAY, 0],
  ])('are not logged before they are overdue: %s, %i seconds', async (name, age, days) => {
    await makeOldKeys(name, age)
    const server = await start({ preserveSessions: true })
    expect(ages()).toEqual([])
    expect(await readiness(server)).toEqual([days, false])
  })

  test('are overdue after KEY_MAX_AGE', async () => {
    await makeOldKeys('sig.key', 2 * DAY)
    const server = await start({ preserveSessions: true, keyMaxAge: DAY })
    expect(ages()).toHaveLength(1)
    expect(await readiness(server)).toEqual([2, true])
  })

  test('in memory are as old as the process', async () => {
    const server = await start()
    expect(ages()).toEqual([])
    expect(await readiness(server)).toEqual([0, false])
  })

  test('are no longer overdue after a rotation', async () => {
    await makeKeys()
    // Both keys were made at once, as by `generate`, long enough ago to be overdue.
    const file = join(keysDir, 'keys.json')
    const records = JSON.parse(await readFile(file, 'utf8')) as Record<string, object>
    const created = new Date(Date.now() - 91 * DAY * 1000).toISOString()
    const old = Object.entries(records).map(([kid, record]) => [kid, { ...record, created }])
    await writeFile(file, JSON.stringify(Object.fromEntries(old)))
    await rotateKeys(keyFolder(), Date.now(), 1000)
    const server = await start({ preserveSessions: true })
    expect(ages()).toEqual([])
    expect((await readiness(server))[1]).toBe(false)
  })
})

describe('reloading the keys', () => {
  const published = async ({ url }: RunningServer) =>
    ((await (await fetch(`${url}/.well-known/jwks.json`)).json()) as { keys: { kid: string }[] })
      .keys

  test('loads the keys of the folder at once', async () => {
    await makeKeys()
    const server = await start({ preserveSessions: true })
    const before = await published(server)
    await rotateKeys(keyFolder(), Date.now(), 1000)
    await server.reloadKeys()
    const { sig } = await loadKeys(keyFolder())
    expect((await published(server))[0]!.kid).toBe(sig.current.kid)
    expect(before).toHaveLength(4)
    expect(logs).toContainEqual(expect.objectContaining({ msg: 'keys loaded' }))
  })

  test('from an unusable folder keeps the keys loaded before, and logs the fault', async () => {
    await makeKeys()
    const server = await start({ preserveSessions: true })
    const before = await published(server)
    await writeFile(join(keysDir, 'sig.key'), 'x')
    await server.reloadKeys()
    expect(await published(server)).toEqual(before)
    expect(logs).toContainEqual(
      expect.objectContaining({
        level: 'error',
        problems: [expect.stringContaining('sig.key has no private key')],
      }),
    )
  })

  test('that are in memory changes nothing, and is logged', async () => {
    const server = await start()
    const before = await published(server)
    await server.reloadKeys()
    expect(await published(server)).toEqual(before)
    expect(logs).toContainEqual(
      expect.objectContaining({ msg: 'the keys are in memory: there is nothing to reload' }),
    )
  })

  test('is not done by a stopped server', async () => {
    await makeKeys()
    fakeIntervals()
    try {
      const server = await start({ preserveSessions: true })
      await stop(server)
      await rotateKeys(keyFolder(), Date.now(), 1000)
      jest.advanceTimersByTime(10_000)
      await delay(100)
    } finally {
      jest.useRealTimers()
    }
    expect(logs.filter(({ msg }) => /key/.test(msg) && !/passphrase/.test(msg))).toEqual([])
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
    await stop(await start())
    expect(removals()).toEqual([expect.objectContaining({ removed: 0 })])
    await leaveTwoSessions(false)
    await start()
    expect(removals()).toEqual([
      expect.objectContaining({ removed: 2, msg: 'sessions of the last run removed: 2' }),
    ])
  })

  test('stay if the keys are preserved', async () => {
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
    const other = await start({ database: ':memory:' })
    const { port } = new URL(other.url)
    expect(await problemsOf({ port: Number(port), database: databaseFile })).toEqual([
      expect.stringMatching(new RegExp(`^Port ${port} of 127\\.0\\.0\\.1 is taken.*another PORT`)),
    ])
    expect(await tablesInFile()).toBeGreaterThan(3)
  })

  test.each(['203.0.113.1', 'no host at all'])('when HOST is %j', async (host) => {
    expect(await problemsOf({ host })).toEqual([
      expect.stringMatching(new RegExp(`cannot listen on HOST ${host}, PORT 0 \\(E[A-Z_]+\\)`)),
    ])
  })

  test('for keys and database together', async () => {
    await mkdir(databaseFile, { recursive: true })
    expect(await problemsOf({ preserveSessions: true, database: databaseFile })).toEqual([
      expect.stringMatching(/^There are no keys in .*npm run keys/),
      expect.stringMatching(/^The database .*auth\.db cannot be opened/),
    ])
  })

  test('when only its keys are missing, and closes the database', async () => {
    expect(await problemsOf({ preserveSessions: true, database: databaseFile })).toEqual([
      expect.stringMatching(/^There are no keys in /),
    ])
    expect(await tablesInFile()).toBeGreaterThan(3)
  })

  test('for its port and its features together, and closes what was opened', async () => {
    const other = await start({ database: ':memory:' })
    const port = Number(new URL(other.url).port)
    const events: string[] = []
    const listening = (name: string, listen: () => void) =>
      defineFeature({
        create: () => ({
          async listen() {
            await Promise.resolve()
            listen()
          },
          async stop() {
            await Promise.resolve()
            events.push(`${name} stopped`)
          },
        }),
      })
    const fail = () => {
      throw new StartupError(['The port of b is taken.'])
    }
    const features = [listening('a', () => void events.push('a listens')), listening('b', fail)]
    expect(await problemsOf({ port, database: databaseFile }, features)).toEqual([
      expect.stringMatching(new RegExp(`^Port ${port} `)),
      'The port of b is taken.',
    ])
    expect(events).toEqual(['a listens', 'b stopped', 'a stopped'])
    expect(await tablesInFile()).toBeGreaterThan(3)
  })

  test('when a feature cannot be created, and closes the database', async () => {
    const broken = defineFeature({
      create: () => {
        throw new StartupError(['A feature is broken.'])
      },
    })
    expect(await problemsOf({ database: databaseFile }, [broken])).toEqual(['A feature is broken.'])
    expect(await tablesInFile()).toBeGreaterThan(3)
  })

  test('when a feature cannot be created, and stops those before it', async () => {
    const stop = jest.fn(() => Promise.resolve())
    const works = defineFeature({ create: () => ({ stop }) })
    const broken = defineFeature({
      create: () => {
        throw new StartupError(['A feature is broken.'])
      },
    })
    expect(await problemsOf({}, [works, broken])).toEqual(['A feature is broken.'])
    expect(stop).toHaveBeenCalledTimes(1)
  })

  test('when the last sessions cannot be removed, and closes what was opened', async () => {
    const listen = jest.spyOn(Server.prototype, 'listen')
    const stop = jest.fn(() => Promise.resolve())
    let other: Libsql.Database | undefined
    // By then the server has migrated the database.
    const locks = defineFeature({
      create: () => ({
        listen() {
          other = new Libsql(databaseFile)
          other.exec('begin immediate')
          return Promise.resolve()
        },
        stop,
      }),
    })
    const problems = await problemsOf({ database: databaseFile, databaseTimeout: 0.1 }, [locks])
    expect(problems).toEqual([
      expect.stringMatching(/^The database .*auth\.db cannot be written \(SQLITE_BUSY\)\. Check /),
    ])
    expect(stop).toHaveBeenCalledTimes(1)
    expect((listen.mock.contexts as Server[]).map(({ listening }) => listening)).toEqual([false])
    listen.mockRestore()
    other!.close()
    expect(await tablesInFile()).toBeGreaterThan(3)
    // Its lock is free again.
    await start({ database: databaseFile })
  })

  test('when its lock cannot be taken', async () => {
    await mkdir(`${databaseFile}-lock`, { recursive: true })
    expect(await problemsOf({ database: databaseFile })).toEqual([
      expect.stringMatching(/^The database .*auth\.db cannot be written \(.+\)\. Check /),
    ])
  })

  test('when only a feature cannot listen, and does not listen itself', async () => {
    const listen = jest.spyOn(Server.prototype, 'listen')
    const broken = defineFeature({
      create: () => ({ listen: () => Promise.reject(new StartupError(['It is taken.'])) }),
    })
    expect(await problemsOf({}, [broken])).toEqual(['It is taken.'])
    expect((listen.mock.contexts as Server[]).map(({ listening }) => listening)).toEqual([false])
    listen.mockRestore()
  })
})

describe('a key folder that cannot be used keeps the server from starting', () => {
  const sig = () => join(keysDir, 'sig.key')
  const enc = () => join(keysDir, 'enc.key')
  const pem = { type: 'pkcs8', format: 'pem' } as const
  const faults: [string, () => Promise<unknown>, RegExp, passphrase?: string][] = [
    ['no keys', () => rm(keysDir, { recursive: true }), /^There are no keys in .*generate/],
    ['no signing key', () => rm(sig()), /sig\.key is missing, but enc\.key is there.*backup/],
    ['no encryption key', () => rm(enc()), /enc\.key is missing, but sig\.key is there.*backup/],
    ['a corrupt key', () => writeFile(enc(), 'x'), /enc\.key has no private key .*damaged/],
    [
      'a truncated key',
      async () => writeFile(enc(), (await readFile(enc(), 'utf8')).slice(0, 120)),
      /enc\.key has no private key .*damaged/,
    ],
    [
      'a public key',
      async () => {
        const key = createPublicKey(createPrivateKey(await readFile(sig())))
        await writeFile(sig(), key.export({ type: 'spki', format: 'pem' }))
      },
      /sig\.key has a public key/,
    ],
    [
      'a key of another curve',
      () =>
        writeFile(sig(), generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey.export(pem)),
      /sig\.key is of type EC P-384, not EC P-256.*TOKEN_SIGNING_ALG=ES256/,
    ],
    ['one key twice', () => copyFile(sig(), enc()), /enc\.key and sig\.key .* the same key/],
    [
      'a missing passphrase',
      async () => {
        const key = createPrivateKey(await readFile(sig()))
        const cipher = { cipher: 'aes-256-cbc', passphrase: 'right' }
        await writeFile(sig(), key.export({ ...pem, ...cipher }))
      },
      /sig\.key is protected by a passphrase, but PRIVATE_KEY_PASSPHRASE is not set/,
    ],
    [
      'a wrong passphrase',
      async () => {
        const key = createPrivateKey(await readFile(enc()))
        const cipher = { cipher: 'aes-256-cbc', passphrase: 'right' }
        await writeFile(enc(), key.export({ ...pem, ...cipher }))
      },
      /enc\.key cannot be decrypted with PRIVATE_KEY_PASSPHRASE/,
      'wrong',
    ],
  ]
  test.each(faults)('%s, and the folder stays unchanged', async (...fault) => {
    const [, damage, sentence, privateKeyPassphrase] = fault
    await makeKeys()
    await damage()
    const contents = async () =>
      Promise.all(
        (await readdir(keysDir).catch(() => []))
          .sort()
          .map(async (name) => [name, await readFile(join(keysDir, name), 'utf8')]),
      )
    const before = await contents()
    const problems = await problemsOf({ preserveSessions: true, privateKeyPassphrase })
    expect(problems).toEqual([expect.stringMatching(sentence)])
    expect(await contents()).toEqual(before)
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

  test('logs the last access tokens that it refused', async () => {
    const server = await start()
    for (let i = 0; i < 3; i++) {
      await fetch(`${server.url}/account`, { headers: { authorization: 'Bearer nonsense' } })
    }
    await stop(server)
    const counts = logs
      .filter(({ msg }) => msg === 'access tokens refused')
      .map(({ count }) => count as number)
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(3)
  })

  test('closes its database, and leaves all of its data in the one file', async () => {
    const server = await start({ database: databaseFile })
    expect(await tablesInFile()).toBe(0)
    await stop(server)
    expect(await tablesInFile()).toBeGreaterThan(3)
  })
})
