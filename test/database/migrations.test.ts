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
    expect.arrayContaining(['accounts', 'clients', 'migrations', 'sessions']),
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
