import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import { databaseCommand } from '../../../server/commands/database/database-command.ts'
import { openDatabase, type Database } from '../../../server/database/open.ts'
import { lockDatabase } from '../../../server/database/server-lock.ts'
import { sharedDatabase } from '../../../server/database/shared-tables.ts'
import { StartupError } from '../../../server/errors/startup-error.ts'
import { createEphemeralKeystore } from '../../../server/keystore/keystore.ts'
import { recordRefreshToken } from '../../../server/sessions/refresh-tokens.ts'
import { addSession, fill, NOW, sessionRow } from '../../sessions/fixtures.ts'
import { TestClient } from '../../support/client.ts'
import { testConfig } from '../../support/config.ts'
import { describePostgres } from '../../support/describe-postgres.ts'
import { createDatabase, startPostgres, type PostgresServer } from '../../support/postgres.ts'
import { killAll, run } from '../../support/process.ts'
import { startTestServer } from '../../support/server.ts'

const TABLES = [
  ...(['clients', 'accounts', 'sessions', 'refresh_tokens'] as const),
  ...(['password_resets', 'known_clients'] as const),
]

let folder: string
let source: string
let lines: string[]
const opened: Database[] = []

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'copy-'))
  source = join(folder, 'auth.db')
  lines = []
})
afterEach(async () => {
  await killAll()
  await Promise.all(opened.splice(0).map((db) => db.destroy()))
  await rm(folder, { recursive: true, force: true })
})

async function open(location: string): Promise<Database> {
  const db = await openDatabase(location)
  opened.push(db)
  return db
}
/** Runs the command with locations instead of URLs. */
const command = (...args: string[]) =>
  databaseCommand(
    args,
    { configured: source, toLocation: (url) => url, open: (location) => openDatabase(location) },
    (line) => lines.push(line),
  )
const copy = (from: string, to: string) => command('copy', '--from', from, '--to', to)
const problemsOf = async (work: Promise<unknown>) => {
  const error = await work.catch((error: unknown) => error)
  expect(error).toBeInstanceOf(StartupError)
  return (error as StartupError).problems
}

/** Rows in every table, and more than one batch in some. */
async function fillSource(): Promise<void> {
  const db = await open(source)
  await fill(db)
  const sessions = Array.from({ length: 1203 }, (_, index) => sessionRow(`session ${index}`))
  for (let at = 0; at < sessions.length; at += 500) {
    await db
      .insertInto('sessions')
      .values(sessions.slice(at, at + 500))
      .execute()
  }
  await addSession(db, 'bobs', { accountId: 'bob', clientId: 'tab' })
  await recordRefreshToken(db, 'bobs', 'jti', NOW)
  await db
    .insertInto('known_clients')
    .values(
      ['ada', 'bob'].flatMap((account_id) =>
        ['phone', 'tab'].map((client_id) => ({ account_id, client_id, last_sign_in_at: NOW })),
      ),
    )
    .execute()
  await db
    .insertInto('password_resets')
    .values({ jti_hash: 'reset', account_id: 'ada', version: 0, expires_at: NOW })
    .execute()
}

async function contentOf(location: string) {
  const db = await open(location)
  const content: Record<string, string[]> = {}
  for (const table of TABLES) {
    const rows = await db.selectFrom(table).selectAll().execute()
    content[table] = rows.map((row) => JSON.stringify(row)).toSorted()
  }
  return content
}

describe('the arguments', () => {
  test.each([
    [[], 2],
    [['copy'], 2],
    [['move', '--to', 'x'], 2],
    [['copy', '--to', 'x', '--fast'], 2],
    [['copy', 'x', '--to', 'x'], 2],
    [['backup'], 2],
    [['backup', '--from', 'x'], 2],
    [['--help'], 0],
  ])('%j print the usage', async (args, code) => {
    expect(await command(...args)).toBe(code)
    expect(lines.join('\n')).toMatch(/^Usage: npm run database/)
  })

  test('that name one database twice, or a missing source, are refused', async () => {
    expect(await problemsOf(copy(source, source))).toEqual([
      '--from and --to name the same database.',
    ])
    expect(await problemsOf(copy(source, ':memory:'))).toEqual([
      `There is no database at ${source}.`,
    ])
  })
})

describePostgres('a copy', () => {
  let server: PostgresServer
  let target: string
  beforeAll(async () => {
    server = await startPostgres()
  })
  beforeEach(async () => {
    target = await createDatabase(server.url)
  })
  afterAll(() => server.remove())

  test('from SQLite to PostgreSQL and back has every row, and prints how many', async () => {
    await fillSource()
    expect(await copy(source, target)).toBe(0)
    expect(lines).toEqual(
      expect.arrayContaining(['clients: 2', 'sessions: 1204', 'known_clients: 4']),
    )
    expect(lines.join('\n')).not.toContain('user=')
    const before = await contentOf(source)
    expect(await contentOf(target)).toEqual(before)
    const back = join(folder, 'back.db')
    await copy(target, back)
    expect(await contentOf(back)).toEqual(before)
  })

  test('keeps everybody signed in, and makes the target refuse requests bound before', async () => {
    const keystore = await createEphemeralKeystore(testConfig().algorithms)
    const first = await startTestServer({ keystore, database: await open(source) })
    const client = await TestClient.registered(first.url)
    const session = await client.signUp()
    await first.stop()
    await copy(source, target)
    const database = await open(target)
    const second = await startTestServer({ keystore, database, clock: first.clock })
    const moved = Object.assign(client, { url: second.url })
    const { body } = await moved.sendAs(session, 'GET', '/account')
    expect(body.database_key).toBe(session.databaseKey)
    const refresh_token = await moved.seal(session.refreshJws)
    const grant = { grant_type: 'refresh_token', refresh_token }
    expect((await moved.send('POST', '/token', grant)).status).toBe(200)
    const epochs = await sharedDatabase(database).selectFrom('replay_epoch').selectAll().execute()
    expect(epochs).toEqual([])
    await second.stop()
  })

  test('that fails leaves the target empty and can be repeated', async () => {
    await fillSource()
    const db = await open(target)
    await sql`alter table refresh_tokens add constraint broken check (session_id <> 'bobs')`.execute(
      db,
    )
    await expect(copy(source, target)).rejects.toThrow('broken')
    expect(await db.selectFrom('clients').selectAll().execute()).toEqual([])
    await sql`alter table refresh_tokens drop constraint broken`.execute(db)
    expect(await copy(source, target)).toBe(0)
  })

  test('to a database that is not empty is refused', async () => {
    await fillSource()
    await copy(source, target)
    const problems = await problemsOf(copy(source, target))
    expect(problems).toContain(
      'The target is not empty: it has rows in accounts. Use an empty database.',
    )
  })

  test('with a table that the server does not know is refused', async () => {
    await fillSource()
    await sql`create table notes (id text primary key)`.execute(await open(source))
    expect(await problemsOf(copy(source, target))).toEqual([
      expect.stringMatching(/^The source has the table notes, which this server does not know/),
    ])
  })

  test.each(['source', 'target'])('while a server uses the %s is refused', async (which) => {
    await fillSource()
    const location = which === 'source' ? source : target
    const lock = await lockDatabase(location, false, () => undefined)
    expect(await problemsOf(copy(source, target))).toEqual([
      expect.stringMatching(/^A server is using .*Stop every server before you copy\.$/),
    ])
    await lock.release()
    expect(await copy(source, target)).toBe(0)
  })

  test('by the program uses DATABASE_URL for a missing argument', async () => {
    await fillSource()
    const program = run('server/commands/database/index.ts', { DATABASE_URL: target }, [
      ...['copy', '--from', `file:${source}`],
    ])
    expect([await program.exit, program.stderr.text]).toEqual([0, ''])
    expect(program.stdout.text).toMatch(/sessions: 1204\n[^]*Done/)
    const wrong = run('server/commands/database/index.ts', { DATABASE_URL: target }, [
      ...['copy', '--from', 'mysql://root:hunter2@db/auth'],
    ])
    expect(await wrong.exit).toBe(1)
    expect(wrong.stderr.text).toBe('--from and --to must be a file: or a postgres:// URL.\n')
  })
})
