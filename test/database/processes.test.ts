/** Processes that migrate one file at once, or are killed while they do. */
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Kysely } from 'kysely'
import Libsql from 'libsql'
import { migrate } from '../../server/database/migrate.ts'
import { CORE_HISTORY } from '../../server/database/migrations/index.ts'
import { openDatabase } from '../../server/database/open.ts'
import type { Schema } from '../../server/database/schema.ts'
import { libsqlDialect } from '../../server/database/libsql-dialect.ts'
import { bundled } from '../support/bundle.ts'
import { definitionsOf, ROWS, rowsOf, STARTS, writeDatabase, type Start } from './fixtures.ts'
import type { Task } from './migrate-process.ts'

/** Kills after every statement, and many races. Without it, one kill in each migration. */
const IS_FULL = process.env['MIGRATION_TRIALS'] === 'all'
const ROUNDS = IS_FULL ? 100 : 3
const TIMEOUT = IS_FULL ? 300_000 : 60_000
const NAMES = Object.keys(CORE_HISTORY.migrations)
const starts = Object.keys(STARTS) as Start[]

let folder: string
const children: ChildProcess[] = []

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'migrations-'))
})
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  await rm(folder, { recursive: true, force: true })
})

async function startProcess(): Promise<ChildProcess> {
  const child = fork(bundled('test/database/migrate-process.ts'), { execArgv: [] })
  children.push(child)
  expect(await once(child, 'message')).toEqual(['ready', undefined])
  return child
}

/** The process's report on a task, or the signal that ended the process. */
async function perform(child: ChildProcess, task: Task): Promise<string> {
  return new Promise((resolve) => {
    const onMessage = (message: string) => {
      child.off('exit', onExit)
      resolve(message)
    }
    const onExit = (code: number | null, signal: string | null) => {
      child.off('message', onMessage)
      resolve(signal ?? `exit ${code}`)
    }
    child.once('message', onMessage).once('exit', onExit)
    child.send(task)
  })
}

/** The statements of a migration from `start`, in order. */
async function statementsFrom(start: Start): Promise<string[]> {
  const file = join(folder, 'statements.db')
  writeDatabase(file, start)
  const statements: string[] = []
  const db = new Kysely<Schema>({
    dialect: libsqlDialect(new Libsql(file), 5000),
    log({ query }) {
      const isRecord = query.sql.startsWith('insert into "kysely_migration" ')
      statements.push(isRecord ? String(query.parameters[0]) : query.sql)
    },
  })
  await migrate(db, CORE_HISTORY)
  await db.destroy()
  await rm(file)
  return statements
}

/** The tables and indexes in a file, without migrating it. */
async function readDatabase(file: string) {
  const db = new Kysely<Schema>({
    dialect: libsqlDialect(new Libsql(file), 5000),
  })
  const definitions = await definitionsOf(db)
  await db.destroy()
  return definitions
}

/** Opens a database as the server does, and checks that nothing is missing. */
async function expectMigrated(file: string, start: Start): Promise<void> {
  const fresh = await openDatabase(':memory:')
  const db = await openDatabase(file)
  expect(await definitionsOf(db)).toEqual(await definitionsOf(fresh))
  expect(await rowsOf(db)).toEqual(ROWS[start])
  await Promise.all([db.destroy(), fresh.destroy()])
}

test(
  'two processes that migrate at once both find a complete database',
  async () => {
    const [one, two] = await Promise.all([startProcess(), startProcess()])
    for (const start of starts) {
      for (let round = 0; round < ROUNDS; round++) {
        const file = join(folder, `${start} ${round}.db`)
        if (STARTS[start] !== '') writeDatabase(file, start)
        const outcomes = await Promise.all([perform(one, { file }), perform(two, { file })])
        expect([start, ...outcomes]).toEqual([start, 'migrated', 'migrated'])
        await expectMigrated(file, start)
      }
    }
  },
  TIMEOUT,
)

/** The database that lacks a migration and has all before it. */
const startBefore = (name: string): Start => starts[NAMES.indexOf(name)] ?? 'of version 2'

const trials: [Start, string[]][] = IS_FULL
  ? starts.map((start) => [start, NAMES])
  : NAMES.map((name) => [startBefore(name), [name]])

test.each(trials)(
  'a kill during a migration loses nothing, and the next start completes it: %s, %j',
  async (start, names) => {
    const statements = await statementsFrom(start)
    expect(statements).toEqual(expect.arrayContaining(['commit', ...NAMES]))
    const points = IS_FULL
      ? statements.map((_, index) => index + 1)
      : // When the migration has run, but is not recorded yet.
        names.map((name) => statements.indexOf(name))
    writeDatabase(join(folder, 'before.db'), start)
    const before = await readDatabase(join(folder, 'before.db'))
    for (const killAfter of points) {
      const file = join(folder, `${killAfter}.db`)
      writeDatabase(file, start)
      const outcome = await perform(await startProcess(), { file, killAfter })
      expect(outcome).toBe('SIGKILL')
      if (killAfter <= statements.indexOf('commit')) {
        expect(await readDatabase(file)).toEqual(before)
      }
      await expectMigrated(file, start)
    }
  },
  TIMEOUT,
)
