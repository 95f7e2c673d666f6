import { afterEach, beforeEach, expect, jest, test } from '@jest/globals'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Kysely } from 'kysely'
import Libsql from 'libsql'
import { LibsqlDialect } from '../../server/database/libsql-dialect.ts'

let folder: string
/** Another process, as far as SQLite is concerned. */
let other: Libsql.Database
let sqlite: Libsql.Database
let db: Kysely<{ notes: { id: number } }>

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'libsql-'))
  const file = join(folder, 'auth.db')
  other = new Libsql(file, { timeout: 20 })
  other.exec('pragma journal_mode = WAL; create table notes (id integer primary key)')
  sqlite = new Libsql(file, { timeout: 20 })
  db = new Kysely({ dialect: new LibsqlDialect(sqlite) })
})
afterEach(async () => {
  await db.destroy()
  other.close()
  await rm(folder, { recursive: true, force: true })
})

const insert = (id: number) => db.insertInto('notes').values({ id })
const committed = () => other.prepare('select id from notes order by id').all()
const BUSY = expect.objectContaining({ code: 'SQLITE_BUSY' })

test.each([
  ['a write', () => insert(1).execute()],
  ['a write that returns rows', () => insert(1).returning('id').execute()],
  ['a transaction', () => db.transaction().execute((trx) => trx.selectFrom('notes').execute())],
])('%s that found the database locked does not spoil what follows', async (_, work) => {
  other.exec('begin immediate')
  await expect(work()).rejects.toEqual(BUSY)
  other.exec('rollback')

  await insert(2).execute()
  expect(committed()).toEqual([{ id: 2 }])
  expect(await insert(3).returning('id').execute()).toEqual([{ id: 3 }])
  expect(committed()).toEqual([{ id: 2 }, { id: 3 }])
  await db.transaction().execute((trx) => trx.deleteFrom('notes').where('id', '=', 2).execute())
  expect(committed()).toEqual([{ id: 3 }])
})

test('a write that fails leaves no transaction open', async () => {
  await insert(1).execute()
  await expect(insert(1).execute()).rejects.toMatchObject({
    code: expect.stringMatching(/^SQLITE_CONSTRAINT/),
  })
  expect(sqlite.inTransaction).toBe(false)
  other.exec('insert into notes (id) values (2)')
  expect(committed()).toEqual([{ id: 1 }, { id: 2 }])
})

test('writes of a transaction are committed together, or not at all', async () => {
  const work = db.transaction().execute(async (trx) => {
    await trx.insertInto('notes').values({ id: 1 }).execute()
    expect(committed()).toEqual([])
    await trx.insertInto('notes').values({ id: 1 }).execute()
  })
  await expect(work).rejects.toThrow()
  expect(committed()).toEqual([])
})

test.each([
  ['a write', () => insert(1).execute()],
  [
    'a transaction',
    () => db.transaction().execute((trx) => trx.insertInto('notes').values({ id: 1 }).execute()),
  ],
])('%s that SQLite rolls back by itself fails with the cause', async (_, work) => {
  // As it does when the disk is full.
  other.exec(`create trigger full before insert on notes when new.id = 1
    begin select raise(rollback, 'the disk is full'); end`)
  await expect(work()).rejects.toThrow('the disk is full')
  await insert(2).execute()
  expect(committed()).toEqual([{ id: 2 }])
})

test('rows are told apart from counts', async () => {
  await insert(1).execute()
  const { numDeletedRows } = await db.deleteFrom('notes').executeTakeFirstOrThrow()
  expect(numDeletedRows).toBe(1n)
})

test('a statement is prepared once, and anew after it has failed', async () => {
  const prepare = jest.spyOn(sqlite, 'prepare')
  await insert(1).execute()
  await insert(2).execute()
  expect(prepare).toHaveBeenCalledTimes(1)
  await expect(insert(2).execute()).rejects.toMatchObject({ code: 'SQLITE_CONSTRAINT_PRIMARYKEY' })
  await insert(3).execute()
  expect(prepare).toHaveBeenCalledTimes(2)
  expect(committed()).toEqual([{ id: 1 }, { id: 2 }, { id: 3 }])
})
