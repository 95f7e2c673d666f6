import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { Kysely, sql } from 'kysely'
import Libsql from 'libsql'
import { libsqlDialect, withoutWaiting } from '../../server/database/libsql-dialect.ts'
import type { Database } from '../../server/database/open.ts'
import { rowReader } from '../../server/database/read-row.ts'
import { StorageError, toStorageError } from '../../server/database/storage-error.ts'

let folder: string
/** Another process, as far as SQLite is concerned. */
let other: Libsql.Database
let sqlite: Libsql.Database
let db: Kysely<{ notes: { id: number } }>
let find: (parameters: readonly unknown[]) => Promise<unknown>

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'libsql-'))
  const file = join(folder, 'auth.db')
  other = new Libsql(file, { timeout: 20 })
  other.exec('pragma journal_mode = WAL; create table notes (id integer primary key)')
  sqlite = new Libsql(file, { timeout: 20 })
  db = new Kysely({ dialect: libsqlDialect(sqlite, 20) })
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
])('%s that finds the database locked does not affect later ones', async (_, work) => {
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

test.each([
  ['by Kysely', () => db.selectFrom('notes').selectAll().where('id', '=', 1).executeTakeFirst()],
  ['by a row reader', () => find([1])],
])('a read %s that finds the database locked does not affect later ones', async (_, read) => {
  await db.destroy()
  // Here another process can lock readers out. In WAL mode, it does while it recovers the log.
  other.exec('pragma journal_mode = DELETE; insert into notes (id) values (1)')
  sqlite = new Libsql(join(folder, 'auth.db'), { timeout: 20 })
  db = new Kysely({ dialect: libsqlDialect(sqlite, 20) })
  find = rowReader(
    db as unknown as Database,
    db.selectFrom('notes').selectAll().where('id', '=', 0).compile(),
  )
  expect(await read()).toEqual({ id: 1 })
  other.exec('begin exclusive')
  await expect(read()).rejects.toEqual(BUSY)
  other.exec('rollback')
  expect(await read()).toEqual({ id: 1 })
  // It would not get the lock if the first read were still in progress.
  other.exec('delete from notes')
  expect(await read()).toBeUndefined()
})

describe('while another process writes', () => {
  beforeEach(async () => {
    await db.destroy()
    sqlite = new Libsql(join(folder, 'auth.db'))
    db = new Kysely({ dialect: libsqlDialect(sqlite, 20_000) })
    other.exec('begin immediate')
  })
  afterEach(() => {
    if (other.inTransaction) other.exec('rollback')
  })

  test.each([
    ['a write', () => insert(1).execute()],
    [
      'a transaction',
      () => db.transaction().execute((trx) => trx.insertInto('notes').values({ id: 1 }).execute()),
    ],
  ])('%s waits without blocking the process or readers', async (_, work) => {
    let isDone = false
    const written = work().then(() => (isDone = true))
    // If the process blocked, the write would time out before the other can commit.
    for (let turn = 0; turn < 20; turn++) {
      expect(await db.selectFrom('notes').selectAll().execute()).toEqual([])
      await setImmediate()
    }
    expect(isDone).toBe(false)
    other.exec('insert into notes (id) values (2); commit')
    await written
    expect(committed()).toEqual([{ id: 1 }, { id: 2 }])
  })

  test('waiting transactions do not mix with each other', async () => {
    const works = Array.from({ length: 10 }, (_, id) =>
      db.transaction().execute(async (trx) => {
        await trx.insertInto('notes').values({ id }).execute()
        await setImmediate()
        if (id % 2 === 1) throw new Error('undone')
      }),
    )
    const outcomes = Promise.allSettled([...works, insert(20).execute()])
    await setImmediate()
    other.exec('rollback')
    expect((await outcomes).map(({ status }) => status === 'fulfilled')).toEqual(
      Array.from({ length: 11 }, (_, id) => id % 2 === 0),
    )
    expect(committed()).toEqual([0, 2, 4, 6, 8, 20].map((id) => ({ id })))
  })

  test('a write without waiting fails at once with a StorageError', async () => {
    const start = performance.now()
    const query = withoutWaiting(insert(1).compile())
    const error = await db.executeQuery(query).catch((thrown: unknown) => thrown)
    expect(performance.now() - start).toBeLessThan(5000)
    expect(error).toBeInstanceOf(StorageError)
    expect(error).toMatchObject({ code: 'SQLITE_BUSY', cause: { code: 'SQLITE_BUSY' } })
    other.exec('rollback')
    await db.executeQuery(query)
    expect(committed()).toEqual([{ id: 1 }])
  })
})

test('a file that cannot grow is a StorageError, and later writes succeed', async () => {
  sqlite.exec('create table big (x)')
  sqlite.exec('pragma max_page_count = 10')
  const fill = sql`insert into big (x) values (zeroblob(100000))`
  const error = await fill.execute(db).catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(StorageError)
  expect(error).toMatchObject({ code: 'SQLITE_FULL' })
  sqlite.exec('pragma max_page_count = 10000')
  await insert(1).execute()
  expect(committed()).toEqual([{ id: 1 }])
})

test.each([
  ['SQLITE_BUSY', true],
  ['SQLITE_BUSY_RECOVERY', true],
  ['SQLITE_LOCKED', true],
  ['SQLITE_FULL', true],
  ['SQLITE_IOERR_WRITE', true],
  ['SQLITE_READONLY_DBMOVED', true],
  ['SQLITE_CANTOPEN', true],
  ['SQLITE_CONSTRAINT_UNIQUE', false],
  ['SQLITE_CORRUPT', false],
  ['SQLITE_FULLY', false],
  ['', false],
])('%s becomes a StorageError: %s', (code, isFault) => {
  const error = Object.assign(new Error('x'), { code })
  const thrown = toStorageError(error)
  expect(thrown instanceof StorageError).toBe(isFault)
  expect(isFault ? (thrown as Error).cause : thrown).toBe(error)
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
])('%s that SQLite itself rolls back rejects with the cause', async (_, work) => {
  // As it does when the disk is full.
  other.exec(`create trigger full before insert on notes when new.id = 1
    begin select raise(rollback, 'the disk is full'); end`)
  await expect(work()).rejects.toThrow('the disk is full')
  await insert(2).execute()
  expect(committed()).toEqual([{ id: 2 }])
})

test('returns the number of changed rows for a statement without rows', async () => {
  await insert(1).execute()
  const { numDeletedRows } = await db.deleteFrom('notes').executeTakeFirstOrThrow()
  expect(numDeletedRows).toBe(1n)
})

test('a statement is prepared once, and again after it has failed', async () => {
  const prepare = jest.spyOn(sqlite, 'prepare')
  await insert(1).execute()
  await insert(2).execute()
  expect(prepare).toHaveBeenCalledTimes(1)
  await expect(insert(2).execute()).rejects.toMatchObject({ code: 'SQLITE_CONSTRAINT_PRIMARYKEY' })
  await insert(3).execute()
  expect(prepare).toHaveBeenCalledTimes(2)
  expect(committed()).toEqual([{ id: 1 }, { id: 2 }, { id: 3 }])
})
