import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import { databaseCommand } from '../../../server/commands/database/database-command.ts'
import { kindOf, openConfigured } from '../../../server/open-database.ts'
import type { Database } from '../../../server/database/open.ts'
import { lockDatabase } from '../../../server/database/server-lock.ts'
import { StartupError } from '../../../server/errors/startup-error.ts'
import { recordRefreshToken } from '../../../server/sessions/refresh-tokens.ts'
import { addSession, fill, NOW, sessionRow } from '../../sessions/fixtures.ts'
import { testConfig } from '../../support/config.ts'
import { databaseFeatures, openAt } from '../../support/database.ts'
import { killAll } from '../../support/process.ts'

const TABLES = [
  ...(['clients', 'accounts', 'sessions', 'refresh_tokens'] as const),
  ...(['password_resets', 'known_clients'] as const),
]

/** Prepares each test of a file: a folder with a SQLite database to copy from. */
export function copying() {
  let folder: string
  let source: string
  let lines: string[]
  let notes: string[]
  const opened: Database[] = []

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'copy-'))
    source = join(folder, 'auth.db')
    lines = []
    notes = []
  })
  afterEach(async () => {
    await killAll()
    await Promise.all(opened.splice(0).map((db) => db.destroy()))
    await rm(folder, { recursive: true, force: true })
  })

  async function open(location: string): Promise<Database> {
    const db = await openAt(location)
    opened.push(db)
    return db
  }
  /** Runs the command with locations instead of URLs. */
  async function command(...args: string[]): Promise<number> {
    const features = await databaseFeatures()
    return databaseCommand(
      args,
      {
        configured: source,
        toLocation: (url) => url,
        kindOf: (location) => kindOf(location, features),
        open: (location) => openConfigured(testConfig(), features, location),
      },
      (line) => lines.push(line),
      (line) => notes.push(line),
    )
  }
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

  return {
    command,
    copy,
    open,
    problemsOf,
    fillSource,
    contentOf,
    folder: () => folder,
    source: () => source,
    lines: () => lines,
    notes: () => notes,
  }
}

interface Target {
  /** Makes an empty database, and returns its location. */
  readonly create: () => Promise<string>
  /** Statements that make one of the last inserts fail, and no longer. */
  readonly breakTable: string
  readonly mendTable: string
}

/** Tests of copies to a kind of database. */
export function copiesTo(
  { copy, open, problemsOf, fillSource, contentOf, ...places }: ReturnType<typeof copying>,
  { create, breakTable, mendTable }: Target,
): void {
  let source: string
  let target: string
  const opened: Database[] = []
  beforeEach(async () => {
    source = places.source()
    target = await create()
  })
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((database) => database.destroy()))
  })

  test('there and back has every row, and prints how many', async () => {
    await fillSource()
    expect(await copy(source, target)).toBe(0)
    expect(places.lines()).toEqual(
      expect.arrayContaining(['clients: 2', 'sessions: 1204', 'known_clients: 4']),
    )
    const before = await contentOf(source)
    expect(await contentOf(target)).toEqual(before)
    const back = join(places.folder(), 'back.db')
    await copy(target, back)
    expect(await contentOf(back)).toEqual(before)
  })

  test('that fails leaves the target empty and can be repeated', async () => {
    await fillSource()
    const db = await open(target)
    await sql.raw(breakTable).execute(db)
    await expect(copy(source, target)).rejects.toThrow('broken')
    expect(await db.selectFrom('clients').selectAll().execute()).toEqual([])
    await sql.raw(mendTable).execute(db)
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
    const { database, takeLock } = await openConfigured(
      testConfig(),
      await databaseFeatures(),
      location,
    )
    opened.push(database)
    const release = await lockDatabase(takeLock, false, () => undefined)
    expect(await problemsOf(copy(source, target))).toEqual([
      expect.stringMatching(/^A server is using .*Stop every server before you copy\.$/),
    ])
    await release()
    expect(await copy(source, target)).toBe(0)
  })
}
