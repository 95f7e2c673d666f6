import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import pg from 'pg'
import type { OpenedDatabase } from '../../../server/database-kind.ts'
import { migrate } from '../../../server/database/migrate.ts'
import { CORE_HISTORY } from '../../../server/database/migrations/index.ts'
import { isReachable, type Database } from '../../../server/database/open.ts'
import { StorageError } from '../../../server/database/storage-error.ts'
import { inTransaction } from '../../../server/database/transaction.ts'
import { StartupError } from '../../../server/errors/startup-error.ts'
import { openPostgres } from '../../../server/features/postgres/open-postgres.ts'
import { createLogger } from '../../../server/log/logger.ts'
import { describePostgres } from '../../support/describe-postgres.ts'
import {
  asAdmin,
  createDatabase,
  startPostgres,
  type PostgresServer,
} from '../../support/postgres.ts'

const TIMEOUT = 500
const ROW = { client_name: null, jwk: '{}', created_at: 1, expires_at: null }

describePostgres('a PostgreSQL database', () => {
  let server: PostgresServer
  const opened: Database[] = []
  beforeAll(async () => {
    server = await startPostgres()
  })
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((db) => db.destroy()))
  })
  afterAll(() => server.remove())

  async function openParts(url: string): Promise<OpenedDatabase> {
    const parts = await openPostgres(url, { poolSize: 4, timeout: TIMEOUT })
    opened.push(parts.database)
    return parts
  }
  const open = async (url: string) => (await openParts(url)).database
  const openNew = async () => open(await createDatabase(server.url))
  const problemsOf = async (url: string) => {
    const error = await open(url).catch((error: unknown) => error)
    expect(error).toBeInstanceOf(StartupError)
    return (error as StartupError).problems.join('\n')
  }
  const addClients = async (db: Database, ...ids: string[]) => {
    const rows = ids.map((client_id) => ({ ...ROW, client_id }))
    await db.insertInto('clients').values(rows).execute()
  }
  const rename = (db: Database, id: string, name: string) =>
    db.updateTable('clients').set({ client_name: name }).where('client_id', '=', id).execute()

  test('says how many connections are in use', async () => {
    const { database, connections } = await openParts(await createDatabase(server.url))
    expect(connections!()).toEqual({ busy: 0, max: 4, waiting: 0 })
    await database.transaction().execute(async (trx) => {
      await sql`select 1`.execute(trx)
      expect(connections!()).toEqual({ busy: 1, max: 4, waiting: 0 })
    })
  })

  describe('that is opened', () => {
    test('by eight servers at once is migrated once, and works for each', async () => {
      const url = await createDatabase(server.url)
      const all = await Promise.all(Array.from({ length: 8 }, () => open(url)))
      for (const [index, db] of all.entries()) await addClients(db, `client ${index}`)
      const { rows } = await sql`select name from kysely_migration`.execute(all[0]!)
      expect(rows).toHaveLength(Object.keys(CORE_HISTORY.migrations).length)
    })

    test('waits for a migration that takes longer than the statement timeout', async () => {
      const url = await createDatabase(server.url)
      const first = await open(url)
      const slow = {
        '1': { up: (db: Database) => sql`select pg_sleep(${2 * (TIMEOUT / 1000)})`.execute(db) },
      }
      const history = {
        table: 'slow_migration',
        migrations: slow as unknown as typeof CORE_HISTORY.migrations,
      }
      await Promise.all([migrate(first, history), open(url).then((db) => migrate(db, history))])
      await expect(sql`select pg_sleep(${TIMEOUT / 250})`.execute(first)).rejects.toMatchObject({
        code: '57014',
      })
    })

    test('with migrations of a newer server is refused', async () => {
      const url = await createDatabase(server.url)
      const db = await open(url)
      await sql`insert into kysely_migration (name, timestamp) values ('999-later', 'now')`.execute(
        db,
      )
      expect(await problemsOf(url)).toMatch(/does not know \(999-later\)/)
    })

    test('with another encoding is refused', async () => {
      const url = new URL(server.url)
      await asAdmin(server.url, `create database ascii encoding 'SQL_ASCII' template template0`)
      url.pathname = '/ascii'
      expect(await problemsOf(url.href)).toMatch(/must have the encoding UTF8/)
    })

    test.each<[string, Partial<URL>, Record<string, string>, string]>([
      ['no such database', { pathname: '/nowhere' }, {}, '3D000'],
      ['a user without access', {}, { user: 'nobody' }, '28000'],
      ['no server at its address', { host: encodeURIComponent('/nonexistent') }, {}, 'ENOENT'],
      ['TLS that the server lacks', {}, { sslmode: 'verify-full' }, 'no connection'],
    ])(
      'with %s is refused in a message without the password',
      async (_, place, parameters, code) => {
        const url = Object.assign(new URL(server.url), place)
        for (const [name, value] of Object.entries({ ...parameters, password: 'hunter2' })) {
          url.searchParams.set(name, value)
        }
        const problems = await problemsOf(url.href)
        expect(problems).toMatch(
          new RegExp(`^The database postgres://.* cannot be opened \\(${code}`),
        )
        expect(problems).not.toMatch(/hunter2|password|user=/)
      },
    )
  })

  test('returns times and counts as numbers, and the number of changed rows', async () => {
    const db = await openNew()
    await addClients(db, 'a', 'b')
    const { numUpdatedRows } = await db
      .updateTable('clients')
      .set({ expires_at: 1_893_456_000_000 })
      .executeTakeFirstOrThrow()
    expect(numUpdatedRows).toBe(2n)
    const { rows } = await sql`select count(*), max(expires_at) from clients`.execute(db)
    expect(rows).toEqual([{ count: 2, max: 1_893_456_000_000 }])
  })

  test('finds nothing for a text with a NUL, which it cannot store', async () => {
    const db = await openNew()
    const where = db.selectFrom('clients').select('client_id').where('client_id', '=', 'a\0')
    expect(await where.execute()).toEqual([])
    const removed = db.deleteFrom('clients').where('client_id', '=', 'a\0')
    expect(await removed.executeTakeFirst()).toEqual({ numDeletedRows: 0n })
    await expect(addClients(db, 'a\0')).rejects.toMatchObject({ code: '22021' })
  })

  test('a transaction with a failed statement rejects, and changes nothing', async () => {
    const db = await openNew()
    const work = inTransaction(db, async (trx) => {
      await addClients(trx, 'a')
      await sql`select 1 / 0`.execute(trx).catch(() => undefined)
    })
    await expect(work).rejects.toThrow('was not committed')
    expect(await db.selectFrom('clients').selectAll().execute()).toEqual([])
  })

  describe('after a deadlock or a conflict', () => {
    /** Two transactions, each of which changes both rows, in opposite orders. */
    async function cross(db: Database, meet: () => Promise<void>) {
      let runs = 0
      const change = (first: string, second: string) =>
        inTransaction(db, async (trx) => {
          runs++
          await rename(trx, first, `${first} first`)
          await meet()
          await rename(trx, second, `${first} first`)
        })
      const outcomes = await Promise.allSettled([change('a', 'b'), change('b', 'a')])
      return { runs, outcomes: outcomes.map(({ status }) => status) }
    }

    test('runs one of the transactions again, so that both succeed', async () => {
      const url = new URL(await createDatabase(server.url))
      url.searchParams.set('options', '-c deadlock_timeout=20ms')
      const db = await open(url.href)
      await addClients(db, 'a', 'b')
      let arrived = 0
      let goOn: () => void
      const both = new Promise<void>((resolve) => (goOn = resolve))
      const { runs, outcomes } = await cross(db, () => {
        if (++arrived === 2) goOn()
        return both
      })
      expect([runs, outcomes]).toEqual([3, ['fulfilled', 'fulfilled']])
    })

    test('gives up after five tries, with a StorageError', async () => {
      const db = await openNew()
      let tries = 0
      const work = () =>
        inTransaction(db, async (trx) => {
          tries++
          await sql`do $$ begin raise exception using errcode = '40001'; end $$`.execute(trx)
        })
      await expect(work()).rejects.toBeInstanceOf(StorageError)
      expect(tries).toBe(5)
    })

    test('runs a single statement again, too', async () => {
      const db = await openNew()
      await sql`create sequence tries`.execute(db)
      await sql`create function fail_twice() returns bigint language plpgsql as $$ begin
        if nextval('tries') < 3 then raise exception using errcode = '40P01'; end if;
        return currval('tries');
      end $$`.execute(db)
      const { rows } = await sql`select fail_twice()`.execute(db)
      expect(rows).toEqual([{ fail_twice: 3 }])
    })
  })

  test('a wait of too long for a lock makes the database unavailable', async () => {
    const url = await createDatabase(server.url)
    const db = await open(url)
    await addClients(db, 'a')
    const holder = new pg.Client({ connectionString: url })
    await holder.connect()
    await holder.query(`begin; update clients set client_name = 'held'`)
    await expect(rename(db, 'a', 'late')).rejects.toMatchObject({
      name: 'UnavailableError',
      code: '57014',
    })
    await holder.end()
    await rename(db, 'a', 'next')
  })

  test('ends a transaction that is idle for too long, since its process may be frozen', async () => {
    const db = await openNew()
    await addClients(db, 'a')
    const work = inTransaction(db, async (trx) => {
      await rename(trx, 'a', 'held')
      await sleep(2 * TIMEOUT)
      await rename(trx, 'a', 'again')
    })
    await expect(work).rejects.toBeInstanceOf(StorageError)
    await rename(db, 'a', 'next')
  })

  test('connects again after its connections were cut, in a transaction and outside one', async () => {
    const url = await createDatabase(server.url)
    const db = await open(url)
    await addClients(db, 'a')
    const cut = () =>
      asAdmin(
        url,
        'select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and datname = current_database()',
      )
    const work = inTransaction(db, async (trx) => {
      await rename(trx, 'a', 'lost')
      await cut()
      await rename(trx, 'a', 'lost, too')
    })
    await expect(work).rejects.toBeInstanceOf(StorageError)
    const rows = await db.selectFrom('clients').select('client_name').execute()
    expect(rows).toEqual([{ client_name: null }])
    await cut()
    await Promise.allSettled(Array.from({ length: 4 }, () => rename(db, 'a', 'b')))
    await rename(db, 'a', 'kept')
  })

  describe('while its server', () => {
    const logger = createLogger('silent')

    test('is frozen, fails each query in time, and works again afterwards', async () => {
      const db = await openNew()
      expect(await isReachable(db, logger)).toBe(true)
      const pids = await asAdmin(
        server.url,
        `select pid from pg_stat_activity where application_name = 'jwe-auth-server'`,
      )
      const send = (signal: NodeJS.Signals) => {
        for (const { pid } of pids as { pid: number }[]) process.kill(pid, signal)
        server.signal(signal)
      }
      send('SIGSTOP')
      try {
        expect(await isReachable(db, logger)).toBe(false)
        await expect(addClients(db, 'late')).rejects.toBeInstanceOf(StorageError)
      } finally {
        send('SIGCONT')
      }
      await addClients(db, 'again')
      expect(await isReachable(db, logger)).toBe(true)
    })

    test('is stopped, is not reachable, and works again afterwards', async () => {
      const db = await openNew()
      await addClients(db, 'a')
      await server.stop()
      expect(await isReachable(db, logger)).toBe(false)
      await expect(addClients(db, 'b')).rejects.toBeInstanceOf(StorageError)
      await server.start()
      await addClients(db, 'b')
      expect(await db.selectFrom('clients').select('client_id').execute()).toHaveLength(2)
    })
  })
})
