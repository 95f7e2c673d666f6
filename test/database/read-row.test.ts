import { afterEach, beforeEach, expect, jest, test } from '@jest/globals'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Libsql from 'libsql'
import { LibsqlAdapter } from '../../server/database/libsql-dialect.ts'
import { openDatabase, type Database } from '../../server/database/open.ts'
import { rowReader } from '../../server/database/read-row.ts'

let folder: string
let db: Database
/** Another process, as far as SQLite is concerned. */
let other: Libsql.Database
let find: (parameters: readonly unknown[]) => Promise<unknown>

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'read-row-'))
  const file = join(folder, 'auth.db')
  db = await openDatabase(file, 1000)
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
function connection() {
  const { adapter } = db.getExecutor()
  if (!(adapter instanceof LibsqlAdapter)) throw new Error('This is another database.')
  return adapter.database
}
const row = (id: string) => ({
  client_id: id,
  client_name: null,
  jwk: '{}',
  created_at: 1,
  expires_at: null,
  key_bound_tokens: 0,
  last: 7,
})

test('finds the row of the parameters, or undefined, without going through Kysely', async () => {
  await add('tab')
  const execute = jest.spyOn(db.getExecutor(), 'executeQuery')
  expect(await find(['tab'])).toEqual(row('tab'))
  expect(await find(['phone'])).toEqual(row('phone'))
  expect(await find(['nobody'])).toBeUndefined()
  expect(execute).not.toHaveBeenCalled()
})

test('finds the rows of one turn of the event loop under one lock', async () => {
  const together = jest.spyOn(connection(), 'beginReading')
  const found = await Promise.all([find(['phone']), find(['nobody']), find(['phone'])])
  expect(found).toEqual([row('phone'), undefined, row('phone')])
  expect(together).toHaveBeenCalledTimes(1)
  expect(connection().isInTransaction()).toBe(false)
})

test('sees at once what another process has written', async () => {
  expect(await find(['phone'])).toEqual(row('phone'))
  other.exec('delete from clients')
  expect(await find(['phone'])).toBeUndefined()
})

test('leaves no transaction open, so that the WAL can be truncated', async () => {
  await find(['phone'])
  await add('tab')
  expect(other.pragma('wal_checkpoint(TRUNCATE)')).toEqual([expect.objectContaining({ busy: 0 })])
})

test('waits for a running transaction, so that it reads nothing uncommitted', async () => {
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

test('gives each value the right name after another process adds a column', async () => {
  expect(await find(['phone'])).toEqual(row('phone'))
  other.exec("alter table clients add column theme text default 'dark'")
  expect(await find(['phone'])).toEqual({ ...row('phone'), theme: 'dark' })
})

test('prepares a failed statement again, since libsql may have left it in progress', async () => {
  const prepare = jest.spyOn(connection(), 'prepareRow')
  expect(await find(['phone'])).toEqual(row('phone'))
  other.exec('alter table clients rename to gone')
  await expect(find(['phone'])).rejects.toThrow(/no such table/)
  expect(connection().isInTransaction()).toBe(false)
  other.exec('alter table gone rename to clients')
  expect(await find(['phone'])).toEqual(row('phone'))
  expect(prepare).toHaveBeenCalledTimes(2)
})
