import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Kysely, SqliteDialect, sql } from 'kysely'
import Libsql from 'libsql'
import { accountCommand } from '../../../server/commands/account/account-command.ts'
import { openDatabase, type Database } from '../../../server/database/open.ts'
import type { Schema } from '../../../server/database/schema.ts'
import { createLogger } from '../../../server/log/logger.ts'
import { addSession, openFilled, sessionIds } from '../../sessions/fixtures.ts'
import { killAll, run } from '../../support/process.ts'

let folder: string
let file: string
let db: Database
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'account-'))
  file = join(folder, 'auth.db')
  db = await openFilled(file)
  await addSession(db, 'a1')
  await addSession(db, 'a2', { clientId: 'tab' })
  await addSession(db, 'b1', { accountId: 'bob' })
})
afterEach(async () => {
  await killAll()
  await db.destroy()
  await rm(folder, { recursive: true, force: true })
})

/** Runs a command on its own database connection; `opened` holds that connection, if it was opened. */
async function command(args: string[], open = () => openDatabase(file)) {
  const opened: Database[] = []
  const lines: string[] = []
  const notes: string[] = []
  const logs: string[] = []
  const logger = createLogger('info', { write: (line) => void logs.push(line) })
  const code = await accountCommand(args, {
    open: async () => {
      const database = await open()
      opened.push(database)
      return database
    },
    logger,
    print: (line) => void lines.push(line),
    note: (line) => void notes.push(line),
  })
  const audits = logs
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .map(({ audit, account_id, session_id }) => [audit, account_id, session_id])
  return { code, text: lines.join('\n'), notes: notes.join('\n'), audits, opened }
}

const isClosed = (database: Database) =>
  database
    .selectFrom('accounts')
    .select('id')
    .execute()
    .then(
      () => false,
      () => true,
    )

const accountOf = (id: string) =>
  db
    .selectFrom('accounts')
    .select(['scope', 'version'])
    .where('id', '=', id)
    .executeTakeFirstOrThrow()

test("scope changes an account's scope, ends its sessions, and reports it", async () => {
  const { code, text, audits, opened } = await command(['scope', 'ADA@mail.test', 'user admin'])
  expect([code, text]).toEqual([0, 'ada@mail.test has the scope "user admin". Sessions ended: 2.'])
  expect(await accountOf('ada')).toEqual({ scope: 'user admin', version: 1 })
  expect(await accountOf('bob')).toEqual({ scope: 'user', version: 0 })
  expect(await sessionIds(db)).toEqual(['b1'])
  expect(audits[0]).toEqual(['scope_changed', 'ada', undefined])
  expect(audits.slice(1).sort()).toEqual([
    ['session_ended', 'ada', 'a1'],
    ['session_ended', 'ada', 'a2'],
  ])
  expect(await Promise.all(opened.map(isClosed))).toEqual([true])
})

test.each([
  ['an unknown address', ['scope', 'nobody@mail.test', 'user'], 1, /no account.*nobody@mail\.test/],
  ['an empty scope', ['scope', 'ada@mail.test', ''], 2, /^The scope must be words/],
  ['a space before', ['scope', 'ada@mail.test', ' user'], 2, /^The scope must be words/],
  ['a space after', ['scope', 'ada@mail.test', 'user '], 2, /^The scope must be words/],
  ['two spaces', ['scope', 'ada@mail.test', 'user  admin'], 2, /^The scope must be words/],
  ['a line break', ['scope', 'ada@mail.test', 'user\n'], 2, /^The scope must be words/],
  ['a quotation mark', ['scope', 'ada@mail.test', 'us"er'], 2, /^The scope must be words/],
  ['a backslash', ['scope', 'ada@mail.test', 'us\\er'], 2, /^The scope must be words/],
  ['non-ASCII letters', ['scope', 'ada@mail.test', 'ädmin'], 2, /^The scope must be words/],
  ['no scope', ['scope', 'ada@mail.test'], 2, /^scope takes an address, and a scope/],
  ['no address', ['scope'], 2, /^scope takes an address, and a scope/],
  ['one argument too many', ['scope', 'ada@mail.test', 'user', 'admin'], 2, /^scope takes/],
  ['another command', ['delete', 'ada@mail.test', 'user'], 2, /^There is no command "delete"\./],
  ['nothing', [], 2, /^A command is missing\./],
])('%s changes nothing', async (_, args, expected, message) => {
  const { code, text, notes, audits, opened } = await command(args)
  expect([code, text, notes]).toEqual([expected, '', expect.stringMatching(message)])
  if (expected === 2) expect(notes).toMatch(/\. See: npm run account -- --help$/)
  // Wrong arguments are reported before the database is opened. An opened database is closed.
  expect(await Promise.all(opened.map(isClosed))).toEqual(expected === 2 ? [] : [true])
  expect(audits).toEqual([])
  expect(await accountOf('ada')).toEqual({ scope: 'user', version: 0 })
  expect(await sessionIds(db)).toEqual(['a1', 'a2', 'b1'])
})

test.each(['help', '--help', '-h'])('%s prints the usage', async (flag) => {
  const { code, text, opened } = await command([flag])
  expect(code).toBe(0)
  expect(opened).toEqual([])
  expect(text).toMatch(/^Usage: npm run account -- scope <email> "<scope>"$/m)
  expect(text).toContain('--help')
})

test('an account that changes meanwhile is not changed again', async () => {
  const other = new Libsql(file)
  const racing = new Kysely<Schema>({
    dialect: new SqliteDialect({ database: new Libsql(file) }),
    log({ query }) {
      if (query.sql.startsWith('select * from "accounts"')) {
        other.exec(`update accounts set version = version + 1, scope = 'other' where id = 'ada'`)
      }
    },
  })
  const { code, notes, audits, opened } = await command(['scope', 'ada@mail.test', 'admin'], () =>
    Promise.resolve(racing),
  )
  expect([code, notes]).toEqual([1, 'The account was changed in the meantime. Try again.'])
  expect(audits).toEqual([])
  expect(await accountOf('ada')).toEqual({ scope: 'other', version: 1 })
  expect(await sessionIds(db)).toEqual(['a1', 'a2', 'b1'])
  other.close()
  expect(await Promise.all(opened.map(isClosed))).toEqual([true])
})

test('a command that fails still closes the database', async () => {
  const broken = await openDatabase(file)
  await sql`create temp trigger broken before update on accounts
    begin select raise(abort, 'out of order'); end`.execute(broken)
  const failing = command(['scope', 'ada@mail.test', 'admin'], () => Promise.resolve(broken))
  await expect(failing).rejects.toThrow('out of order')
  expect(await isClosed(broken)).toBe(true)
  expect(await accountOf('ada')).toEqual({ scope: 'user', version: 0 })
})

test('an error on opening the database is thrown to the caller', async () => {
  const failing = command(['scope', 'ada@mail.test', 'admin'], () =>
    Promise.reject(new Error('no such place')),
  )
  await expect(failing).rejects.toThrow('no such place')
})

describe('the program', () => {
  const SCRIPT = 'server/commands/account/index.ts'
  const start = (...args: string[]) => run(SCRIPT, { DATABASE_URL: `file:${file}` }, args)

  test('works on a database that a server has open, and exits with 0', async () => {
    const program = start('scope', 'ada@mail.test', 'user admin')
    expect(await program.exit).toBe(0)
    // The result goes to stdout, the audit log to stderr.
    expect(program.stdout.text).toBe(
      'ada@mail.test has the scope "user admin". Sessions ended: 2.\n',
    )
    const audits = program.stderr.text
      .split('\n')
      .slice(0, -1)
      .map((line) => (JSON.parse(line) as { audit: string }).audit)
    expect(audits).toEqual(['scope_changed', 'session_ended', 'session_ended'])
    expect(await accountOf('ada')).toEqual({ scope: 'user admin', version: 1 })
    expect(await sessionIds(db)).toEqual(['b1'])
    const again = await openDatabase(file)
    await again.destroy()
  })

  test('reports wrong arguments without opening the database', async () => {
    const program = run(SCRIPT, { DATABASE_URL: `file:${folder}` }, ['scope', 'a@b.test'])
    expect(await program.exit).toBe(2)
    expect(program.stderr.text).toMatch(/^scope takes an address.*\n$/)
    expect(program.stdout.text).toBe('')
  })

  test('reports a database that cannot be opened as the server does', async () => {
    const program = run(SCRIPT, { DATABASE_URL: `file:${folder}` }, ['scope', 'a@b.test', 'user'])
    expect(await program.exit).toBe(1)
    expect(program.stderr.text).toMatch(/^The database .* cannot be opened .*\n$/)
    expect(program.stdout.text).toBe('')
  })
})
