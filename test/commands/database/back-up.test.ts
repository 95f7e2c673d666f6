import { readdirSync } from 'node:fs'
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals'
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Libsql from 'libsql'
import { databaseCommand } from '../../../server/commands/database/database-command.ts'
import { openDatabase } from '../../../server/database/open.ts'
import type { DatabaseKind } from '../../../server/database-kind.ts'
import { StartupError } from '../../../server/errors/startup-error.ts'
import { fill } from '../../sessions/fixtures.ts'

let folder: string
let source: string
let copy: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'back-up-'))
  source = join(folder, 'auth.db')
  copy = join(folder, 'copy.db')
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const open = () => Promise.reject(new Error('A backup must not migrate.'))
const another: DatabaseKind = { schemes: ['another'], backUpWith: 'another-dump', open }
const backUp = (from = source, to = copy) =>
  databaseCommand(
    ['backup', '--from', from, '--to', to],
    {
      configured: source,
      toLocation: (url: string) => url,
      kindOf: (location) => (location.startsWith('another:') ? another : undefined),
      open,
    },
    () => undefined,
    () => undefined,
  )
const problemsOf = async (work: Promise<unknown>) => {
  const error = await work.catch((error: unknown) => error)
  expect(error).toBeInstanceOf(StartupError)
  return (error as StartupError).problems
}

test('a backup has what was committed while the database was in use, in a private file', async () => {
  const database = await openDatabase(source)
  await fill(database)
  await database.transaction().execute(async (trx) => {
    await trx.updateTable('accounts').set({ name: 'not committed' }).execute()
    expect(await backUp()).toBe(0)
  })
  await database.destroy()
  expect((await stat(copy)).mode & 0o777).toBe(0o600)
  const restored = await openDatabase(copy)
  const names = await restored.selectFrom('accounts').select('name').execute()
  await restored.destroy()
  expect(names.length).toBeGreaterThan(0)
  expect(names).not.toContainEqual({ name: 'not committed' })
})

test('a backup never replaces a file', async () => {
  await (await openDatabase(source)).destroy()
  await writeFile(copy, 'precious')
  expect(await problemsOf(backUp())).toEqual([`${copy} exists already. Back up to a new file.`])
  expect(await readFile(copy, 'utf8')).toBe('precious')
})

test('a backup of a file that is not a database fails and leaves no file', async () => {
  await writeFile(source, 'no database'.repeat(100))
  await chmod(source, 0o600)
  expect(await problemsOf(backUp())).toEqual([
    `${source} could not be copied to ${copy} (SQLITE_NOTADB). Check the disk, and that it is a database.`,
  ])
  expect(await readdir(folder)).toEqual(['auth.db'])
})

test("a backup of a folder fails with SQLite's message", async () => {
  expect(await problemsOf(backUp(folder))).toEqual([
    expect.stringMatching(/could not be copied to .* \(.*Unable to open.*\)\. Check/),
  ])
})

test('a backup gets its name only when it is complete', async () => {
  await (await openDatabase(source)).destroy()
  const seen: string[] = []
  const prepare = Object.getOwnPropertyDescriptor(Libsql.prototype, 'prepare')?.value as (
    this: Libsql.Database,
    sql: string,
  ) => Libsql.Statement
  const watched = jest.spyOn(Libsql.prototype, 'prepare').mockImplementation(function (
    this: Libsql.Database,
    sql,
  ) {
    seen.push(...readdirSync(folder))
    return prepare.call(this, sql)
  })
  try {
    expect(await backUp()).toBe(0)
  } finally {
    watched.mockRestore()
  }
  expect(seen).toContainEqual(expect.stringMatching(/^copy\.db\..*\.part$/))
  expect(seen).not.toContain('copy.db')
  expect((await readdir(folder)).filter((name) => name.startsWith('copy'))).toEqual(['copy.db'])
})

test.each([
  ['to a missing folder', () => backUp(source, join(folder, 'no', 'x')), /ENOENT/],
  [
    'to a location that is not a file',
    () => backUp(source, ':memory:'),
    /^A backup needs a file\.$/,
  ],
  ['of another kind', () => backUp('another://u:hunter2@db/auth'), /up another:\/\/db\/auth with/],
  ['to another kind', () => backUp(source, 'another://u:hunter2@db/auth'), /with another-dump\.$/],
])('a backup %s is refused', async (_, work, message) => {
  await (await openDatabase(source)).destroy()
  expect(await problemsOf(work())).toEqual([expect.stringMatching(message)])
})

test('a backup of a missing database is refused', async () => {
  expect(await problemsOf(backUp())).toEqual([`There is no database at ${source}.`])
})
