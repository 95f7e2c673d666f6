import { afterEach, beforeEach, expect, jest, test } from '@jest/globals'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { Kysely } from 'kysely'
import Libsql from 'libsql'
import { LibsqlAdapter, libsqlDialect } from '../../server/database/libsql-dialect.ts'
import { StorageError } from '../../server/database/storage-error.ts'
import { inTransaction } from '../../server/database/transaction.ts'

let folder: string
/** Another process, as far as SQLite is concerned. */
let other: Libsql.Database
let db: Kysely<{ notes: { id: number } }>

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'group-commit-'))
  const file = join(folder, 'auth.db')
  other = new Libsql(file, { timeout: 20 })
  other.exec('pragma journal_mode = WAL; create table notes (id integer primary key)')
  db = new Kysely({ dialect: libsqlDialect(new Libsql(file), 5000) })
})
afterEach(async () => {
  await db.destroy()
  other.close()
  await rm(folder, { recursive: true, force: true })
})

const note = (id: number, problem?: Error) =>
  inTransaction(db, async (trx) => {
    await trx.insertInto('notes').values({ id }).execute()
    if (problem !== undefined) throw problem
    return id
  })
const committed = () => other.prepare('select id from notes order by id').pluck().all()

/** Counts the transactions of the database. */
function transactions() {
  const { adapter } = db.getExecutor()
  if (!(adapter instanceof LibsqlAdapter)) throw new Error('This is another database.')
  return jest.spyOn(adapter.database, 'beginWriting')
}

test('transactions of one turn of the event loop share a commit', async () => {
  const begun = transactions()
  expect(await Promise.all([note(1), note(2), note(3)])).toEqual([1, 2, 3])
  expect(begun).toHaveBeenCalledTimes(1)
  expect(committed()).toEqual([1, 2, 3])
  await note(4)
  expect(begun).toHaveBeenCalledTimes(2)
})

test('sixteen at most share one', async () => {
  const begun = transactions()
  await Promise.all(Array.from({ length: 40 }, (_, id) => note(id)))
  expect(begun).toHaveBeenCalledTimes(3)
  expect(committed()).toHaveLength(40)
})

test('none is done before the commit', async () => {
  const first = note(1)
  let isFirstDone = false
  void first.then(() => (isFirstDone = true))
  const last = inTransaction(db, async () => {
    await setImmediate()
    return [isFirstDone, committed()]
  })
  expect(await last).toEqual([false, []])
  await first
  expect(committed()).toEqual([1])
})

test('one that throws is undone alone, and gets its own error', async () => {
  const problem = new Error('undone')
  const outcomes = await Promise.allSettled([note(1), note(2, problem), note(1), note(3)])
  expect(outcomes).toEqual([
    { status: 'fulfilled', value: 1 },
    { status: 'rejected', reason: problem },
    {
      status: 'rejected',
      reason: expect.objectContaining({ code: 'SQLITE_CONSTRAINT_PRIMARYKEY' }),
    },
    { status: 'fulfilled', value: 3 },
  ])
  expect(committed()).toEqual([1, 3])
})

test('each sees what those before it have written', async () => {
  const counts = Array.from({ length: 5 }, (_, id) =>
    inTransaction(db, async (trx) => {
      await trx.insertInto('notes').values({ id }).execute()
      return (await trx.selectFrom('notes').selectAll().execute()).length
    }),
  )
  expect(await Promise.all(counts)).toEqual([1, 2, 3, 4, 5])
})

test('all fail if SQLite undoes the whole transaction, and later ones succeed', async () => {
  // As it does when the disk is full.
  other.exec(`create trigger full before insert on notes when new.id = 2
    begin select raise(rollback, 'the disk is full'); end`)
  const outcomes = await Promise.allSettled([note(1), note(2), note(3)])
  expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected'])
  expect(committed()).toEqual([])
  await note(4)
  expect(committed()).toEqual([4])
})

test('all fail if a work hides that SQLite has undone the whole transaction', async () => {
  other.exec(`create trigger full before insert on notes when new.id = 2
    begin select raise(rollback, 'the disk is full'); end`)
  const hiding = inTransaction(db, async (trx) => {
    await trx
      .insertInto('notes')
      .values({ id: 2 })
      .execute()
      .catch(() => undefined)
  })
  const outcomes = await Promise.allSettled([note(1), hiding, note(3)])
  const refused = { status: 'rejected', reason: expect.any(StorageError) }
  expect(outcomes).toEqual([refused, refused, refused])
  expect(committed()).toEqual([])
})

test('while another process writes, none waits longer than the first', async () => {
  await db.destroy()
  db = new Kysely({ dialect: libsqlDialect(new Libsql(join(folder, 'auth.db')), 50) })
  const begun = jest.spyOn(db, 'transaction')
  other.exec('begin immediate')
  const outcomes = await Promise.allSettled(Array.from({ length: 100 }, (_, id) => note(id)))
  const busy = { status: 'rejected', reason: expect.objectContaining({ code: 'SQLITE_BUSY' }) }
  expect(outcomes).toEqual(outcomes.map(() => busy))
  expect(begun).toHaveBeenCalledTimes(1)
  other.exec('rollback')
  await note(1)
  expect(committed()).toEqual([1])
})

test('all fail if the commit fails, and later ones succeed', async () => {
  other.exec(`create table pages (note integer references notes (id) deferrable initially deferred);
    create trigger page after insert on notes when new.id = 2
    begin insert into pages (note) values (7); end`)
  const { adapter } = db.getExecutor()
  if (!(adapter instanceof LibsqlAdapter)) throw new Error('This is another database.')
  adapter.database.exec('pragma foreign_keys = ON')
  const outcomes = await Promise.allSettled([note(1), note(2), note(3)])
  expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected'])
  expect(committed()).toEqual([])
  await note(4)
  expect(committed()).toEqual([4])
})
