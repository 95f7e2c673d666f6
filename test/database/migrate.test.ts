import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { Kysely, sql, type Migration } from 'kysely'
import Libsql from 'libsql'
import { migrate } from '../../server/database/migrate.ts'
import { CORE_HISTORY } from '../../server/database/migrations/index.ts'
import type { Schema } from '../../server/database/schema.ts'
import { libsqlDialect } from '../../server/database/libsql-dialect.ts'
import { StartupError } from '../../server/errors/startup-error.ts'
import { definitionsOf, ROWS, rowsOf, STARTS, type Start } from './fixtures.ts'

const NAMES = Object.keys(CORE_HISTORY.migrations)
/** The migrations that make the second version of the server's database. */
const FIRST_NAMES = [
  '001-clients-accounts-sessions',
  '002-refresh-and-reset',
  '003-close-numbered-history',
]

let sqlite: Libsql.Database
let db: Kysely<Schema>

beforeEach(() => {
  sqlite = new Libsql(':memory:')
  sqlite.pragma('foreign_keys = ON')
  db = new Kysely({ dialect: libsqlDialect(sqlite, 5000) })
})
afterEach(() => db.destroy())

const executed = async (table = 'kysely_migration') => {
  const { rows } = await sql<{ name: string }>`
    select name from ${sql.table(table)} order by name`.execute(db)
  return rows.map(({ name }) => name)
}
const tableNames = async () => {
  const tables = await db.introspection.getTables({ withInternalKyselyTables: true })
  return tables.map(({ name }) => name)
}
const numberedVersion = () =>
  (sqlite.prepare('select max(version) as version from migrations').get() as { version: number })
    .version
const failure = (history = CORE_HISTORY): Promise<unknown> =>
  migrate(db, history).then(
    () => undefined,
    (error: unknown) => error,
  )
const starts = Object.keys(STARTS) as Start[]

describe("the core's history", () => {
  test('lists every file of its folder, in order', async () => {
    const folder = join(import.meta.dirname, '../../server/database/migrations')
    const files = (await readdir(folder)).filter((name) => /^\d/.test(name)).sort()
    expect(NAMES.map((name) => `${name}.ts`)).toEqual(files)
    expect(NAMES.slice(0, FIRST_NAMES.length)).toEqual(FIRST_NAMES)
  })

  test('begins with migrations that create the database of the first release', async () => {
    const { migrations } = CORE_HISTORY
    const first = Object.fromEntries(FIRST_NAMES.map((name) => [name, migrations[name]!]))
    await migrate(db, { ...CORE_HISTORY, migrations: first })
    const made = await definitionsOf(db)

    const frozen = new Libsql(':memory:')
    frozen.exec(STARTS['of version 2'])
    const other = new Kysely<Schema>({ dialect: libsqlDialect(frozen, 5000) })
    expect(made).toEqual(await definitionsOf(other))
    await other.destroy()
  })

  test.each(starts)('migrates a database and keeps every row: %s', async (start) => {
    sqlite.exec(STARTS[start])
    await migrate(db, CORE_HISTORY)
    const made = await definitionsOf(db)
    expect(await executed()).toEqual(NAMES)
    expect(await rowsOf(db)).toEqual(ROWS[start])
    expect(sqlite.prepare('pragma foreign_key_check').all()).toEqual([])

    await migrate(db, CORE_HISTORY)
    expect(await definitionsOf(db)).toEqual(made)
    expect(await executed()).toEqual(NAMES)
  })

  test.each(starts)('makes the same tables as in an empty database: %s', async (start) => {
    sqlite.exec(STARTS[start])
    await migrate(db, CORE_HISTORY)
    const empty = new Kysely<Schema>({
      dialect: libsqlDialect(new Libsql(':memory:'), 5000),
    })
    await migrate(empty, CORE_HISTORY)
    expect(await definitionsOf(db)).toEqual(await definitionsOf(empty))
    await empty.destroy()
  })

  test('gives old sessions an expiry in the past, and accounts version 0', async () => {
    sqlite.exec(STARTS['of version 1'])
    await migrate(db, CORE_HISTORY)
    expect(await db.selectFrom('sessions').select(['id', 'expires_at']).execute()).toEqual([
      { id: 's', expires_at: 0 },
    ])
    const columns = [
      'id',
      'email',
      'email_key',
      'name',
      'password_hash',
      'scope',
      'version',
    ] as const
    expect(await db.selectFrom('accounts').select(columns).execute()).toEqual([
      {
        id: 'a',
        email: 'A@mail.test',
        email_key: 'a@mail.test',
        name: 'Ada',
        password_hash: 'h',
        scope: 'user',
        version: 0,
      },
    ])
  })

  test('fills known_clients from the sessions, each with its last sign-in', async () => {
    sqlite.exec(STARTS['of version 2'])
    sqlite.exec(`insert into sessions (id, account_id, client_id, database_key, created_at, last_used_at, expires_at)
      values ('u', 'b', 'c', 'k3', 10, 11, 99), ('v', 'b', 'c', 'k4', 7, 20, 99)`)
    await migrate(db, CORE_HISTORY)
    const known = db.selectFrom('known_clients').selectAll().orderBy('account_id')
    expect(await known.execute()).toEqual([
      { account_id: 'a', client_id: 'c', last_sign_in_at: 3 },
      { account_id: 'b', client_id: 'c', last_sign_in_at: 10 },
    ])
  })

  test.each([
    ['accounts', 'id', 'b'],
    ['sessions', 'id', 't'],
  ])('deletes the rows that depend on a row deleted from %s', async (table, column, id) => {
    sqlite.exec(STARTS['of version 2'])
    await migrate(db, CORE_HISTORY)
    await sql`delete from ${sql.table(table)} where ${sql.ref(column)} = ${id}`.execute(db)
    const resets = table === 'accounts' ? [] : ['password_resets p']
    const accounts = table === 'accounts' ? ['accounts a'] : ['accounts a', 'accounts b']
    expect(await rowsOf(db)).toEqual([...accounts, 'clients c', ...resets, 'sessions s'])
  })
})

describe('a database of the first release', () => {
  test.each(['of version 1', 'of version 2'] as const)(
    '%s is refused by the first release after the migration',
    async (start) => {
      sqlite.exec(STARTS[start])
      await migrate(db, CORE_HISTORY)
      // That server refuses a version over 2.
      expect(numberedVersion()).toBe(3)
      await migrate(db, CORE_HISTORY)
      expect(numberedVersion()).toBe(3)
    },
  )

  test('whose owner added a third migration is refused, and left unchanged', async () => {
    sqlite.exec(STARTS['of version 2'])
    sqlite.exec('insert into migrations (version) values (3)')
    const before = await definitionsOf(db)
    const error = await failure()
    expect(error).toBeInstanceOf(StartupError)
    expect((error as StartupError).problems).toEqual([
      expect.stringMatching(/^The database is of version 3, and this server knows up to 2\. Run /),
    ])
    expect(await definitionsOf(db)).toEqual(before)
    expect(await rowsOf(db)).toEqual(ROWS['of version 2'])
    expect(await executed()).toEqual([])
  })

  test('with nothing but its table of versions counts as empty', async () => {
    sqlite.exec('create table migrations (version integer primary key)')
    await migrate(db, CORE_HISTORY)
    expect(await executed()).toEqual(NAMES)
  })
})

test('a table `migrations` of another program is left alone', async () => {
  sqlite.exec(`create table migrations (version text, name text);
    insert into migrations (version, name) values ('9', 'theirs')`)
  await migrate(db, CORE_HISTORY)
  expect(await executed()).toEqual(NAMES)
  expect(sqlite.prepare('select version, name from migrations').all()).toEqual([
    { version: '9', name: 'theirs' },
  ])
})

describe('a database of a newer server', () => {
  const newer = {
    ...CORE_HISTORY,
    migrations: { ...CORE_HISTORY.migrations, '998-new': { up: addTable('new') } },
  }

  test('is refused with the name of its migration, and left unchanged', async () => {
    await migrate(db, newer)
    const before = { definitions: await definitionsOf(db), executed: await executed() }
    const error = await failure()
    expect(error).toBeInstanceOf(StartupError)
    expect((error as StartupError).problems).toEqual([
      expect.stringMatching(
        /does not know \(998-new\)\. Run the newer server, or restore a backup/,
      ),
    ])
    expect({ definitions: await definitionsOf(db), executed: await executed() }).toEqual(before)
  })

  test('is opened by that server, whatever times its migrations recorded', async () => {
    await migrate(db, newer)
    sqlite.exec(`update kysely_migration set timestamp = '2001-01-01T00:00:00.000Z'
      where name = '998-new'`)
    await migrate(db, newer)
    expect(await executed()).toEqual([...NAMES, '998-new'])
  })
})

describe('a migration that fails', () => {
  test('is rolled back with those before it, and runs again later', async () => {
    sqlite.exec('create table refresh_tokens (somebody_elses text)')
    expect(await failure()).toMatchObject({ message: expect.stringMatching(/refresh_tokens/) })
    expect((await definitionsOf(db)).map(({ name }) => name)).toEqual(['refresh_tokens'])
    expect(await executed()).toEqual([])

    sqlite.exec('drop table refresh_tokens')
    await migrate(db, CORE_HISTORY)
    expect(await executed()).toEqual(NAMES)
  })

  test('leaves a database of the first version unchanged', async () => {
    sqlite.exec(STARTS['of version 1'])
    sqlite.exec('create table password_resets (somebody_elses text)')
    const before = await definitionsOf(db)
    expect(await failure()).toMatchObject({ message: expect.stringMatching(/password_resets/) })
    expect(await definitionsOf(db)).toEqual(before)
    expect(numberedVersion()).toBe(1)
  })
})

describe("a feature's history", () => {
  const FEATURE = {
    table: 'feature_migration',
    migrations: { '001-notes': { up: addTable('notes') } },
  }

  test('is recorded in its own table, apart from the history of the core', async () => {
    await migrate(db, CORE_HISTORY)
    await migrate(db, FEATURE)
    await migrate(db, FEATURE)
    expect(await executed()).toEqual(NAMES)
    expect(await executed('feature_migration')).toEqual(['001-notes'])
    expect(await tableNames()).toContain('notes')
  })

  test('does not stop a start without the feature, and its table stays', async () => {
    await migrate(db, CORE_HISTORY)
    await migrate(db, FEATURE)
    await migrate(db, CORE_HISTORY)
    expect(await tableNames()).toContain('notes')
  })

  test('from a newer version of the feature is refused', async () => {
    await migrate(db, CORE_HISTORY)
    await migrate(db, {
      ...FEATURE,
      migrations: { ...FEATURE.migrations, '002-more': { up: addTable('more') } },
    })
    expect(await failure(FEATURE)).toMatchObject({
      problems: [expect.stringMatching(/does not know \(002-more\)/)],
    })
  })
})

function addTable(name: string): Migration['up'] {
  return (db: Kysely<unknown>) =>
    db.schema
      .createTable(name)
      .addColumn('id', 'text', (column) => column.primaryKey())
      .execute()
}
