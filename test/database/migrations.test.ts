import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Kysely, SqliteDialect, sql } from 'kysely'
import Libsql from 'libsql'
import { migrate } from '../../server/database/migrations.ts'
import type { Schema } from '../../server/database/schema.ts'
import { StartupError } from '../../server/startup-error.ts'

let folder: string
let db: Kysely<Schema>

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'migrations-'))
  db = new Kysely({ dialect: new SqliteDialect({ database: new Libsql(join(folder, 'auth.db')) }) })
})
afterEach(async () => {
  await db.destroy()
  await rm(folder, { recursive: true, force: true })
})

const versions = async () => {
  const { rows } = await sql<{ version: number }>`
    select version from migrations order by version`.execute(db)
  return rows.map(({ version }) => version)
}
/** Every table and index that is not SQLite's own, with its definition. */
const definitions = async () => {
  const { rows } = await sql<{ name: string; sql: string }>`
    select name, sql from sqlite_master where name not like 'sqlite_%' order by name`.execute(db)
  return rows
}
const names = async () => (await definitions()).map(({ name }) => name)

test('a new database gets every table, and the version is recorded', async () => {
  await migrate(db)
  expect(await names()).toEqual(
    expect.arrayContaining([
      ...['accounts', 'clients', 'migrations', 'password_resets', 'refresh_tokens', 'sessions'],
      ...['password_resets_account_id', 'refresh_tokens_session_id', 'sessions_expires_at'],
    ]),
  )
  const applied = await versions()
  expect(applied.length).toBeGreaterThan(0)
  expect(applied).toEqual(applied.map((_, index) => index + 1))
})

test('migrations run once: again, they change nothing', async () => {
  await migrate(db)
  const before = { definitions: await definitions(), versions: await versions() }
  await db
    .insertInto('clients')
    .values({ client_id: 'c', client_name: null, jwk: '{}', created_at: 1 })
    .execute()
  await migrate(db)
  expect({ definitions: await definitions(), versions: await versions() }).toEqual(before)
  expect(await db.selectFrom('clients').select('client_id').execute()).toEqual([{ client_id: 'c' }])
})

test('a database of a newer server is refused, and stays as it is', async () => {
  await migrate(db)
  const newer = (await versions()).length + 1
  await sql`insert into migrations (version) values (${newer})`.execute(db)
  const before = await definitions()
  const error = await migrate(db).catch((error: unknown) => error)
  expect(error).toBeInstanceOf(StartupError)
  expect((error as StartupError).problems).toEqual([
    expect.stringMatching(new RegExp(`version ${newer}\\b.*newer server`)),
  ])
  expect(await definitions()).toEqual(before)
  expect((await versions()).at(-1)).toBe(newer)
})

test('a migration that fails is undone whole', async () => {
  await sql`create table sessions (somebody_elses text)`.execute(db)
  await expect(migrate(db)).rejects.toThrow(/sessions/)
  expect((await names()).filter((name) => name !== 'migrations')).toEqual(['sessions'])
  expect(await versions()).toEqual([])
})

test('a migration that failed is made up for when its cause is gone', async () => {
  await sql`create table sessions (somebody_elses text)`.execute(db)
  await expect(migrate(db)).rejects.toThrow()
  await sql`drop table sessions`.execute(db)
  await migrate(db)
  expect(await names()).toEqual(expect.arrayContaining(['accounts', 'clients', 'sessions']))
  expect(await versions()).not.toEqual([])
})

/** A database as the first version of the server left it, with one signed-in account. */
async function firstVersion() {
  await migrate(db)
  await sql`drop table password_resets`.execute(db)
  await sql`drop table refresh_tokens`.execute(db)
  await sql`drop index sessions_expires_at`.execute(db)
  await sql`alter table sessions drop column expires_at`.execute(db)
  await sql`alter table accounts drop column version`.execute(db)
  await sql`delete from migrations where version > 1`.execute(db)
  await sql`insert into clients values ('c', 'A phone', '{}', 1)`.execute(db)
  await sql`insert into accounts values ('a', 'A@mail.test', 'a@mail.test', 'Ada', 'h', 'user', 2)`.execute(
    db,
  )
  await sql`insert into sessions values ('s', 'a', 'c', 'k', 3, 4)`.execute(db)
}

test('the second keeps accounts and clients, and what had no expiry has expired', async () => {
  await firstVersion()
  await migrate(db)
  expect(await versions()).toEqual([1, 2])
  expect(await db.selectFrom('clients').selectAll().execute()).toEqual([
    { client_id: 'c', client_name: 'A phone', jwk: '{}', created_at: 1 },
  ])
  expect(await db.selectFrom('accounts').selectAll().execute()).toEqual([
    expect.objectContaining({
      id: 'a',
      name: 'Ada',
      password_hash: 'h',
      scope: 'user',
      version: 0,
    }),
  ])
  expect(await db.selectFrom('sessions').selectAll().execute()).toEqual([
    {
      ...{ id: 's', account_id: 'a', client_id: 'c', database_key: 'k' },
      ...{ created_at: 3, last_used_at: 4, expires_at: 0 },
    },
  ])
})

test('the second that fails leaves the first as it was', async () => {
  await firstVersion()
  await sql`create table password_resets (somebody_elses text)`.execute(db)
  const before = await definitions()
  await expect(migrate(db)).rejects.toThrow(/password_resets/)
  expect(await definitions()).toEqual(before)
  expect(await versions()).toEqual([1])
})

test.each([
  ['account', 'accounts', 'id', 'a'],
  ['session', 'sessions', 'id', 's'],
] as const)('a removed %s takes with it what hung on it', async (_, table, column, id) => {
  await firstVersion()
  await migrate(db)
  await sql`pragma foreign_keys = on`.execute(db)
  await db
    .insertInto('refresh_tokens')
    .values({ jti_hash: 'r', session_id: 's', used_at: null, expires_at: 9 })
    .execute()
  await db
    .insertInto('password_resets')
    .values({ jti_hash: 'p', account_id: 'a', version: 0, expires_at: 9 })
    .execute()
  await sql`delete from ${sql.table(table)} where ${sql.ref(column)} = ${id}`.execute(db)
  expect(await db.selectFrom('refresh_tokens').selectAll().execute()).toEqual([])
  const resets = await db.selectFrom('password_resets').select('jti_hash').execute()
  expect(resets).toEqual(table === 'accounts' ? [] : [{ jti_hash: 'p' }])
})
