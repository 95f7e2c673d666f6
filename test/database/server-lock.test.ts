import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { lockDatabase, type ServerLock } from '../../server/database/server-lock.ts'
import { StartupError } from '../../server/errors/startup-error.ts'
import { describePostgres } from '../support/describe-postgres.ts'
import { asAdmin, createDatabase, startPostgres, type PostgresServer } from '../support/postgres.ts'
import { freePort, killAll, run } from '../support/process.ts'

let location: string
const held: ServerLock[] = []
let lost: Error[]
beforeEach(() => {
  lost = []
})
afterEach(async () => {
  await Promise.all(held.splice(0).map((lock) => lock.release()))
})

async function take(isAlone: boolean): Promise<ServerLock> {
  const lock = await lockDatabase(location, isAlone, (error) => lost.push(error))
  held.push(lock)
  return lock
}
async function release(lock: ServerLock): Promise<void> {
  held.splice(held.indexOf(lock), 1)
  await lock.release()
}
const refusalOf = async (isAlone: boolean) => {
  const error = await take(isAlone).catch((error: unknown) => error)
  expect(error).toBeInstanceOf(StartupError)
  return (error as StartupError).message
}

function behavesAsALock(): void {
  test('servers with preserved keys share a database', async () => {
    await take(false)
    await take(false)
  })

  test('a server with keys of its own starts only once it is alone', async () => {
    const first = await take(false)
    expect(await refusalOf(true)).toMatch(/^Another server is using this database/)
    await release(first)
    await take(true)
  })

  test('no server starts beside one with keys of its own until that has stopped', async () => {
    const first = await take(true)
    const refusals = await Promise.all([refusalOf(true), refusalOf(false)])
    expect(refusals).toEqual([
      expect.stringMatching(/^Another server is using this database/),
      expect.stringMatching(/^A server with PRESERVE_SESSIONS_ON_REBOOT=0 is using this database/),
    ])
    await release(first)
    await take(false)
  })

  test('a server that starts waits for one that is stopping', async () => {
    const first = await take(true)
    const second = take(true)
    await sleep(200)
    await release(first)
    await second
  })
}

describe('on SQLite', () => {
  let folder: string
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lock-'))
    location = join(folder, 'auth.db')
  })
  afterEach(async () => {
    await killAll()
    await rm(folder, { recursive: true, force: true })
  })

  behavesAsALock()

  test('each database in memory has a lock of its own', async () => {
    location = ':memory:'
    await take(true)
    await take(true)
  })

  test('a second process refuses to start, and a third starts once the first is killed', async () => {
    const start = async () =>
      run('server/index.ts', {
        ...{ DATABASE_URL: `file:${location}`, PORT: String(await freePort()) },
        ...{ PRESERVE_SESSIONS_ON_REBOOT: '0', PRIVATE_KEY_PASSPHRASE: '', CORS_ORIGINS: '' },
      })
    const first = await start()
    await first.ready()
    const second = await start()
    expect(await second.exit).toBe(1)
    expect(second.stderr.text).toMatch(/- Another server is using this database.*\n\n$/)
    first.signal('SIGKILL')
    await first.exit
    await (await start()).ready()
  })
})

describePostgres('on PostgreSQL', () => {
  let server: PostgresServer
  beforeAll(async () => {
    server = await startPostgres()
  })
  beforeEach(async () => {
    location = await createDatabase(server.url)
  })
  afterAll(() => server.remove())

  behavesAsALock()

  interface Entry {
    readonly pid: number
    readonly id: number
    readonly granted: boolean
  }
  const entries = () =>
    asAdmin(
      location,
      `select pid, (classid::bigint << 32) | objid::bigint as id, granted from pg_locks
       where locktype = 'advisory' and database =
         (select oid from pg_database where datname = current_database())`,
    ) as Promise<Entry[]>
  const cut = async () => {
    const holder = (await entries()).find(({ granted }) => granted)!
    await asAdmin(location, `select pg_terminate_backend(${holder.pid})`)
    return holder
  }

  test('takes the lock again if its connection is lost', async () => {
    await take(true)
    await cut()
    while ((await entries()).length === 0) await sleep(20)
    await server.stop()
    await server.start()
    while ((await entries()).length === 0) await sleep(20)
    expect(lost).toEqual([])
    await refusalOf(true)
  })

  test('reports the lock as lost if another server has taken it meanwhile', async () => {
    await take(true)
    const [{ id } = { id: 0 }] = await entries()
    const other = new pg.Client({ connectionString: location })
    await other.connect()
    // It is already waiting for the lock, and so gets it before the server can ask again.
    const taken = other.query(`select pg_advisory_lock(${id})`)
    while ((await entries()).length < 2) await sleep(20)
    await cut()
    await taken
    while (lost.length === 0) await sleep(100)
    expect(lost[0]!.message).toBe('Another server has taken this database meanwhile.')
    await other.end()
  })

  test('is unavailable while the database is away', async () => {
    await server.stop()
    await expect(take(true)).rejects.toMatchObject({ name: 'UnavailableError' })
    await server.start()
  })
})
