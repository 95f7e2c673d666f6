import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { once } from 'node:events'
import { chmod, copyFile, mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { sql, type Migration } from 'kysely'
import { createLogger } from '../../server/log/logger.ts'
import { CORE_HISTORY } from '../../server/database/migrations/index.ts'
import { isReachable, openDatabase, type Database } from '../../server/database/open.ts'
import { StartupError } from '../../server/errors/startup-error.ts'

let folder: string
const opened: Database[] = []
const logs: string[] = []
const log = createLogger('trace', { write: (line) => void logs.push(line) })

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'database-'))
})
afterEach(async () => {
  await Promise.all(opened.splice(0).map((db) => db.destroy()))
  await rm(folder, { recursive: true, force: true })
})

async function open(file: string, busyTimeout?: number): Promise<Database> {
  const db = await openDatabase(file, busyTimeout)
  opened.push(db)
  return db
}

/** The one sentence that says why a database was refused. */
async function refusal(file: string, busyTimeout?: number): Promise<string> {
  const error = await open(file, busyTimeout).then(
    () => new Error('opened'),
    (error: unknown) => error,
  )
  expect(error).toBeInstanceOf(StartupError)
  const { problems } = error as StartupError
  expect(problems).toHaveLength(1)
  expect(problems[0]).not.toContain('\n')
  return problems[0]!
}

/** The permission bits. */
const modeOf = async (path: string) => (await stat(path)).mode & 0o777

const pragma = async (db: Database, name: string): Promise<unknown> => {
  const { rows } = await sql<Record<string, unknown>>`pragma ${sql.raw(name)}`.execute(db)
  return Object.values(rows[0]!)[0]
}

const client = (client_id: string) => ({ client_id, client_name: null, jwk: '{}', created_at: 1 })
const account = (id: string) => ({
  id,
  email: id,
  email_key: id,
  name: null,
  password_hash: '',
  scope: '',
  created_at: 1,
})
const session = (id: string, account_id: string, client_id: string) => ({
  id,
  account_id,
  client_id,
  database_key: '',
  created_at: 1,
  last_used_at: 1,
})

describe('a file', () => {
  test('is created with its folder, for the owner alone', async () => {
    await open(join(folder, 'a', 'b', 'auth.db'))
    expect(await readdir(join(folder, 'a', 'b'))).toContain('auth.db')
    if (process.platform !== 'win32') {
      expect(await modeOf(join(folder, 'a', 'b'))).toBe(0o700)
      for (const name of ['auth.db', 'auth.db-wal', 'auth.db-shm']) {
        expect([name, await modeOf(join(folder, 'a', 'b', name))]).toEqual([name, 0o600])
      }
    }
  })

  test('that others may read is restricted to its owner, even while it is in use', async () => {
    // Windows has no such permission bits.
    if (process.platform === 'win32') return
    const file = join(folder, 'auth.db')
    const inUse = await open(file)
    await inUse.insertInto('clients').values(client('c')).execute()
    const names = ['auth.db', 'auth.db-wal', 'auth.db-shm']
    for (const name of names) await chmod(join(folder, name), 0o664)
    const again = await open(file)
    for (const name of names)
      expect([name, await modeOf(join(folder, name))]).toEqual([name, 0o600])
    await inUse.insertInto('clients').values(client('d')).execute()
    expect(await again.selectFrom('clients').selectAll().execute()).toHaveLength(2)
  })

  test('in a folder that takes no new folders is refused, and the search for one that does ends', async () => {
    // Only Linux has one: the kernel makes its folders.
    if (process.platform !== 'linux') return
    expect(await refusal('/proc/none/data/auth.db')).toMatch(
      /^The database .* cannot be opened for writing \(ENOENT\)\. Check DATABASE_URL/,
    )
  })

  test('may have any name', async () => {
    const file = join(folder, "it's 100% ünïcode?mode=ro#x.db")
    await open(file)
    expect((await stat(file)).size).toBeGreaterThan(0)
  })

  test('keeps its rows when it is opened again', async () => {
    const file = join(folder, 'auth.db')
    const first = await openDatabase(file)
    await first.insertInto('clients').values(client('c')).execute()
    await first.destroy()
    const again = await open(file)
    expect(await again.selectFrom('clients').selectAll().execute()).toEqual([
      { ...client('c'), expires_at: null, key_bound_tokens: 0 },
    ])
  })

  test('is complete once it is closed, so that a copy is a backup', async () => {
    const file = join(folder, 'auth.db')
    const db = await openDatabase(file)
    await db.insertInto('clients').values(client('c')).execute()
    await db.destroy()
    await copyFile(file, join(folder, 'backup.db'))
    const backup = await open(join(folder, 'backup.db'))
    expect(await backup.selectFrom('clients').select('client_id').execute()).toEqual([
      { client_id: 'c' },
    ])
  })

  test('uses WAL and synchronous=FULL, so that answered writes are on the disk', async () => {
    const db = await open(join(folder, 'auth.db'))
    expect(await pragma(db, 'journal_mode')).toBe('wal')
    expect(await pragma(db, 'synchronous')).toBe(2)
  })

  test('is shared by two connections that see each other’s writes', async () => {
    const file = join(folder, 'auth.db')
    const [one, two] = [await open(file), await open(file)]
    await one.insertInto('clients').values(client('one')).execute()
    await two.insertInto('clients').values(client('two')).execute()
    const ids = await one.selectFrom('clients').select('client_id').orderBy('client_id').execute()
    expect(ids).toEqual([{ client_id: 'one' }, { client_id: 'two' }])
  })
})

describe('a database that another process is creating', () => {
  /** Another connection, on a thread of its own, that holds the file for a tenth of a second. */
  async function holdWith(
    file: string,
    statements: string,
  ): Promise<{ released: Promise<unknown> }> {
    const worker = new Worker(
      `const Libsql = require('libsql')
      const { parentPort, workerData } = require('node:worker_threads')
      const db = new Libsql(workerData.file)
      db.exec(workerData.statements)
      parentPort.postMessage('held')
      setTimeout(() => { db.exec('commit'); db.close() }, 100)`,
      { eval: true, workerData: { file, statements } },
    )
    await once(worker, 'message')
    return { released: once(worker, 'exit') }
  }

  test.each([
    ['about to write, before it is in WAL mode', 'begin immediate'],
    ['writing, before it is in WAL mode', 'begin exclusive; create table x (y)'],
    ['reading, before it is in WAL mode', 'create table x (y); begin; select * from x'],
    ['writing, in WAL mode', 'pragma journal_mode = WAL; begin immediate; create table x (y)'],
  ])('is waited for while the other is %s', async (_, statements) => {
    const file = join(folder, 'auth.db')
    const { released } = await holdWith(file, statements)
    const result = await open(file).catch((error: unknown) => error)
    await released
    expect(result).not.toBeInstanceOf(Error)
    expect(await isReachable(result as Database, log)).toBe(true)
  })
})

test('a bug in a migration is not reported as a fault of the file', async () => {
  const migrations = CORE_HISTORY.migrations as Record<string, Migration>
  const bug = new TypeError('x is not a function')
  migrations['999-bug'] = { up: () => Promise.reject(bug) }
  try {
    await expect(open(':memory:')).rejects.toBe(bug)
  } finally {
    delete migrations['999-bug']
  }
})

describe('refuses to open, with one sentence that names it,', () => {
  test('a file that is not a database, and leaves it unchanged', async () => {
    const file = join(folder, 'notes.txt')
    await writeFile(file, 'not a database, but long enough to be one '.repeat(50))
    const { size, mode } = await stat(file)
    expect(await refusal(file)).toMatch(/notes\.txt cannot be opened .*NOTADB.*DATABASE_URL/)
    expect(await stat(file)).toMatchObject({ size, mode })
  })

  test('a folder', async () => {
    const file = join(folder, 'auth.db')
    await mkdir(file)
    const { mode } = await stat(file)
    expect(await refusal(file)).toMatch(/auth\.db cannot be opened .*DATABASE_URL/)
    expect((await stat(file)).mode).toBe(mode)
  })

  test('a path whose folder cannot be created', async () => {
    await writeFile(join(folder, 'file'), '')
    expect(await refusal(join(folder, 'file', 'auth.db'))).toMatch(
      /auth\.db cannot be opened for writing \((EEXIST|ENOTDIR)\).*DATABASE_URL/,
    )
  })

  test('a database that another program locks for longer than the timeout', async () => {
    const file = join(folder, 'auth.db')
    const holder = await openDatabase(file)
    opened.push(holder)
    await holder.transaction().execute(async () => {
      expect(await refusal(file, 50)).toMatch(/auth\.db cannot be opened .*SQLITE_BUSY/)
    })
    await open(file)
  })
})

describe('a database', () => {
  test('in memory is not shared', async () => {
    const [one, two] = [await open(':memory:'), await open(':memory:')]
    await one.insertInto('clients').values(client('one')).execute()
    expect(await two.selectFrom('clients').selectAll().execute()).toEqual([])
    expect(await isReachable(one, log)).toBe(true)
  })

  test.each([
    ['account', 'accounts', 'id', 'a'],
    ['client', 'clients', 'client_id', 'c'],
  ] as const)('loses the sessions of a removed %s, and no others', async (...row) => {
    const [, table, column, id] = row
    const db = await open(':memory:')
    await db
      .insertInto('clients')
      .values([client('c'), client('c2')])
      .execute()
    await db
      .insertInto('accounts')
      .values([account('a'), account('a2')])
      .execute()
    await db
      .insertInto('sessions')
      .values([session('gone', 'a', 'c'), session('kept', 'a2', 'c2')])
      .execute()
    await sql`delete from ${sql.table(table)} where ${sql.ref(column)} = ${id}`.execute(db)
    expect(await db.selectFrom('sessions').select('id').execute()).toEqual([{ id: 'kept' }])
  })

  test.each([
    ['account', session('s', 'nobody', 'c')],
    ['client', session('s', 'a', 'nothing')],
  ])('refuses a session of an unknown %s', async (_, row) => {
    const db = await open(':memory:')
    await db.insertInto('clients').values(client('c')).execute()
    await db.insertInto('accounts').values(account('a')).execute()
    await expect(db.insertInto('sessions').values(row).execute()).rejects.toMatchObject({
      code: expect.stringContaining('CONSTRAINT'),
    })
  })

  test('refuses a second account with the same e-mail address', async () => {
    const db = await open(':memory:')
    await db.insertInto('accounts').values(account('a')).execute()
    const twin = { ...account('b'), email_key: 'a' }
    await expect(db.insertInto('accounts').values(twin).execute()).rejects.toMatchObject({
      code: expect.stringContaining('CONSTRAINT'),
    })
  })

  test('is not reachable once it is closed', async () => {
    const db = await openDatabase(join(folder, 'auth.db'))
    expect(await isReachable(db, log)).toBe(true)
    await db.destroy()
    expect(await isReachable(db, log)).toBe(false)
    expect(JSON.parse(logs.at(-1)!)).toMatchObject({
      level: 'warn',
      err: { message: expect.stringMatching(/driver/) },
    })
  })
})
