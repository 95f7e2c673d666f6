import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { takePostgresLock } from '../../../server/features/postgres/postgres-lock.ts'
import { behavesAsALock } from '../../database/lock-behaviour.ts'
import { describePostgres } from '../../support/describe-postgres.ts'
import {
  asAdmin,
  createDatabase,
  startPostgres,
  type PostgresServer,
} from '../../support/postgres.ts'

describePostgres('the lock of a PostgreSQL database', () => {
  let server: PostgresServer
  let location: string
  beforeAll(async () => {
    server = await startPostgres()
  })
  beforeEach(async () => {
    location = await createDatabase(server.url)
  })
  afterAll(() => server.remove())

  const { take, refusalOf, lost } = behavesAsALock(() => takePostgresLock(location))

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
    expect(lost()).toEqual([])
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
    while (lost().length === 0) await sleep(100)
    expect(lost()[0]!.message).toBe('Another server has taken this database meanwhile.')
    await other.end()
  })

  test('leaves no connection behind if the lock cannot be asked for', async () => {
    await asAdmin(location, 'create schema broken')
    await asAdmin(
      location,
      `create function broken.pg_try_advisory_lock(bigint) returns boolean language plpgsql
       as 'begin raise exception ''no''; end'`,
    )
    const url = new URL(location)
    url.searchParams.set('options', '-c search_path=broken,pg_catalog')
    const taken = takePostgresLock(url.href)(true, () => undefined)
    await expect(taken).rejects.toMatchObject({ name: 'UnavailableError' })
    const connections = () =>
      asAdmin(
        location,
        `select pid from pg_stat_activity
         where datname = current_database() and application_name = 'jwe-auth-server lock'`,
      )
    while ((await connections()).length > 0) await sleep(20)
  })

  test('is unavailable while the database is away', async () => {
    await server.stop()
    await expect(take(true)).rejects.toMatchObject({ name: 'UnavailableError' })
    await server.start()
  })
})
