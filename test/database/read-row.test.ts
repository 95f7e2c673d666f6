import { afterEach, beforeEach, expect, jest, test } from '@jest/globals'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Libsql from 'libsql'
import { LibsqlAdapter } from '../../server/database/libsql-dialect.ts'
import { openSqlite } from '../../server/database/sqlite.ts'
import type { Database } from '../../server/database/open.ts'
import { rowReader } from '../../server/database/read-row.ts'

let folder: string
let db: Database
/** Another process, as far as SQLite is concerned. */
let other: Libsql.Database
let find: (parameters: readonly unknown[]) => Promise<unknown>

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'read-row-'))
  const file = join(folder, 'auth.db')
  db = await openSqlite(file, 1000)
  other = new Libsql(file)
  await add('phone')
  find = rowReader(
    db,
    db
      .selectFrom('clients')
      .selectAll('clients')
      .select((eb) => eb.lit(7).as('last'))
      .where('client_id', '=', '')
      .compile(),
  )
})
afterEach(async () => {
  await db.destroy()
  other.close()
  await rm(folder, { recursive: true, force: true })
})

const add = (id: string, on = db) =>
  on
    .insertInto('clients')
    .values({ client_id: id, client_name: null, jwk: '{}', created_at: 1, expires_at: null })
    .execute()
const row = (id: string) => ({
  ...{ client_id: id, client_name: null, jwk: '{}', created_at: 1, expires_at: null },
  ...{ key_bound_tokens: 0, last: 7 },
})

test('finds a row by the parameters of the call, past Kysely, or nothing', async () => {
  await add('tab')
  const execute = jest.spyOn(db.getExecutor(), 'executeQuery')
  expect(await find(['tab'])).toEqual(row('tab'))
  expect(await find(['phone'])).toEqual(row('phone'))
  expect(await find(['nobody'])).toBeUndefined()
  expect(execute).not.toHaveBeenCalled()
})

test('sees at once what another process has written', async () => {
  expect(await find(['phone'])).toEqual(row('phone'))
  other.exec('delete from clients')
  expect(await find(['phone'])).toBeUndefined()
})

test('leaves no transaction open, which would keep the log from being emptied', async () => {
  await find(['phone'])
  await add('tab')
  expect(other.pragma('wal_checkpoint(TRUNCATE)')).toEqual([expect.objectContaining({ busy: 0 })])
})

test('a transaction under way is waited for, so that nothing uncommitted is seen', async () => {
  let found: Promise<unknown> | undefined
  const work = db.transaction().execute(async (trx) => {
    await add('tab', trx)
    found = find(['tab'])
    await trx.selectFrom('clients').selectAll().execute()
    throw new Error('rolled back')
  })
  await expect(work).rejects.toThrow('rolled back')
  expect(await found).toBeUndefined()
})

test('each value keeps its name when another process adds a column', async () => {
  expect(await find(['phone'])).toEqual(row('phone'))
  other.exec("alter table clients add column theme text default 'dark'")
  expect(await find(['phone'])).toEqual({ ...row('phone'), theme: 'dark' })
})

test('a statement that has failed is not used again: libsql may have left it in progress', async () => {
  const { adapter } = db.getExecutor()
  if (!(adapter instanceof LibsqlAdapter)) throw new Error('This is another database.')
  const prepare = jest.spyOn(adapter.database, 'prepareRow')
  expect(await find(['phone'])).toEqual(row('phone'))
  other.exec('alter table clients rename to gone')
  await expect(find(['phone'])).rejects.toThrow(/no such table/)
  other.exec('alter table gone rename to clients')
  expect(await find(['phone'])).toEqual(row('phone'))
  expect(prepare).toHaveBeenCalledTimes(2)
})
