import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Kysely, SqliteDialect } from 'kysely'
import Libsql from 'libsql'
import type { Database } from '../../server/database/open.ts'
import type { Schema } from '../../server/database/schema.ts'
import { hash, recordRefreshToken, useRefreshToken } from '../../server/sessions/refresh.ts'
import { addSession, NOW, openFilled } from './fixtures.ts'

const INTERVAL = 10_000
const SID = 'session'
/** When the sessions of these tests expire, and their tokens. */
const END = NOW + 3_600_000

let folder: string
let file: string
let db: Database

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'refresh-'))
  file = join(folder, 'auth.db')
  db = await openFilled(file)
  await addSession(db, SID)
})
afterEach(async () => {
  await db.destroy()
  await rm(folder, { recursive: true, force: true })
})

const record = (sid = SID) => recordRefreshToken(db, sid, END)
const use = (jti: string, at = NOW, sid = SID) => useRefreshToken(db, { sid, jti }, at, INTERVAL)

/** Uses a token, and records the next. */
async function next(jti: string, at = NOW): Promise<string> {
  expect(await use(jti, at)).toBe('used')
  return record()
}

/** Makes the session longer than anything that a test waits for. */
const prolong = () =>
  db
    .updateTable('sessions')
    .set({ expires_at: NOW * 2 })
    .execute()
const rows = () => db.selectFrom('refresh_tokens').selectAll().execute()

test('the hash is SHA-256, and what is recorded is nothing but it', async () => {
  const jti = await recordRefreshToken(db, SID, NOW + 7)
  const expected = createHash('sha256').update(jti).digest('base64url')
  expect(hash(jti)).toBe(expected)
  expect(await rows()).toEqual([
    { jti_hash: expected, session_id: SID, used_at: null, expires_at: NOW + 7 },
  ])
  expect(await record()).not.toBe(jti)
})

test('using an unused token notes when, of it alone', async () => {
  const jti = await record()
  const sibling = await record()
  expect(await use(jti, NOW + 5)).toBe('used')
  const usedAt = Object.fromEntries((await rows()).map((row) => [row.jti_hash, row.used_at]))
  expect(usedAt).toEqual({ [hash(jti)]: NOW + 5, [hash(sibling)]: null })
})

describe('a used token', () => {
  test.each([
    ['at once', 0, 'used'],
    ['when the interval ends', INTERVAL, 'used'],
    ['a millisecond later', INTERVAL + 1, 'reused'],
    ['long after', 86_400_000, 'reused'],
  ])('again %s', async (_, later, expected) => {
    await prolong()
    const jti = await record()
    await use(jti)
    expect(await use(jti, NOW + later)).toBe(expected)
  })

  test('again does not prolong the interval', async () => {
    const jti = await record()
    await use(jti)
    expect(await use(jti, NOW + INTERVAL)).toBe('used')
    expect(await use(jti, NOW + INTERVAL + 1)).toBe('reused')
  })

  test('is reused after the interval, however many came after it, or none', async () => {
    const first = await record()
    const second = await next(first)
    await next(second, NOW + 1)
    expect(await use(first, NOW + INTERVAL)).toBe('used')
    expect(await use(second, NOW + INTERVAL + 1)).toBe('used')
    expect(await use(first, NOW + INTERVAL + 1)).toBe('reused')
    expect(await use(second, NOW + INTERVAL + 2)).toBe('reused')
  })

  test('is reused though what noted its use has been removed by another use', async () => {
    const first = await record()
    const second = await next(first)
    expect(await use(second, NOW + INTERVAL + 1)).toBe('used')
    expect((await rows()).map((row) => row.jti_hash)).toEqual([hash(second)])
    expect(await use(first, NOW + INTERVAL + 1)).toBe('reused')
    expect(await use(first, NOW)).toBe('reused')
  })
})

describe('siblings, from two uses of one token at once', () => {
  test.each([
    ['at once', 0],
    ['when the interval ends', INTERVAL],
    ['a millisecond later', INTERVAL + 1],
    ['long after', 86_400_000],
  ])('one that was never used is good %s', async (_, later) => {
    await prolong()
    const first = await record()
    const [one, two] = [await next(first), await next(first)]
    expect(await use(one)).toBe('used')
    expect(await use(two, NOW + later)).toBe('used')
    // From then on it is a used token like any other.
    expect(await use(two, NOW + later + INTERVAL)).toBe('used')
    expect(await use(two, NOW + later + INTERVAL + 1)).toBe('reused')
  })

  test('the successors of each are good, whatever the other does', async () => {
    await prolong()
    const first = await record()
    let [one, two] = [await next(first), await next(first)]
    for (let round = 1; round <= 4; round++) {
      one = await next(one, NOW + round * 60_000)
      if (round % 2 === 0) two = await next(two, NOW + round * 60_000 + 30_000)
    }
    expect(await use(one, NOW + 86_400_000)).toBe('used')
    expect(await use(two, NOW + 2 * 86_400_000)).toBe('used')
    expect(await use(first, NOW + 2 * 86_400_000)).toBe('reused')
  })
})

test.each([
  ['of no record', 'nobody’s', SID, 'reused'],
  ['of a session that there is not', undefined, 'no-session', 'unknown'],
])('a token %s', async (_, jti, sid, expected) => {
  const known = await record()
  expect(await use(jti ?? known, NOW, sid)).toBe(expected)
  // Nor is it used up by that.
  expect(await use(known, NOW + INTERVAL + 1)).toBe('used')
})

test('a token of another session is none of this one, and stays unused', async () => {
  await addSession(db, 'other')
  const jti = await record('other')
  expect(await use(jti)).toBe('reused')
  expect(await rows()).toEqual([expect.objectContaining({ used_at: null })])
  expect(await use(jti, NOW, 'other')).toBe('used')
})

test.each([
  [-1, 'used'],
  [0, 'unknown'],
  [1, 'unknown'],
])('%d ms after its session has expired a token is %s', async (later, expected) => {
  const jti = await record()
  expect(await use(jti, END + later)).toBe(expected)
})

test('what was used longer ago than the interval is not kept, but for other sessions’', async () => {
  await addSession(db, 'other')
  const others = await record('other')
  await use(others, NOW, 'other')
  const siblings = await record()
  let jti = await record()
  for (let i = 0; i < 5; i++) jti = await next(jti, NOW + i * (INTERVAL + 1))
  const last = NOW + 4 * (INTERVAL + 1)
  const kept = Object.fromEntries((await rows()).map((row) => [row.jti_hash, row.used_at]))
  expect(Object.keys(kept)).toHaveLength(4)
  expect(kept).toMatchObject({ [hash(others)]: NOW, [hash(siblings)]: null, [hash(jti)]: null })
  expect(Object.values(kept)).toContain(last)
})

/** The same database, with `interfere` after each statement that `after` matches. */
function interferedWith(after: RegExp, interfere: (other: Libsql.Database) => void): Database {
  return new Kysely<Schema>({
    dialect: new SqliteDialect({ database: new Libsql(file) }),
    log({ query }) {
      if (!after.test(query.sql)) return
      const other = new Libsql(file)
      try {
        interfere(other)
      } finally {
        other.close()
      }
    },
  })
}

/** As sessions.ts calls it. */
async function useWithin(racing: Database, jti: string) {
  try {
    return await racing
      .transaction()
      .execute((trx) => useRefreshToken(trx, { sid: SID, jti }, NOW, INTERVAL))
  } finally {
    await racing.destroy()
  }
}

test.each([
  [
    'another use came before: the loser has a sibling of what the winner has',
    `update refresh_tokens set used_at = ${NOW}`,
    'used',
  ],
  [
    'another use came before, long ago: it is one too many',
    `update refresh_tokens set used_at = ${NOW - INTERVAL - 1}`,
    'reused',
  ],
  ['the session ended before: nothing is left to renew', 'delete from sessions', 'unknown'],
])('within a transaction that has begun, %s', async (_, statement, expected) => {
  const jti = await record()
  let times = 0
  const racing = interferedWith(/^begin/, (other) => {
    times++
    other.exec(statement)
  })
  expect(await useWithin(racing, jti)).toBe(expected)
  expect(times).toBe(1)
})

test('another process that tries to write in the middle of a renewal does not make it fail', async () => {
  const jti = await record()
  const outcomes: string[] = []
  const racing = interferedWith(/^/, (other) => {
    try {
      other.exec(`update clients set client_name = 'x'`)
      outcomes.push('written')
    } catch (error) {
      outcomes.push((error as Error).message)
    }
  })
  expect(await useWithin(racing, jti)).toBe('used')
  // Before it and after it, and in between it has to wait.
  expect([outcomes[0], outcomes.at(-1)]).toEqual(['written', 'written'])
  expect(new Set(outcomes.slice(1, -1))).toEqual(new Set(['database is locked']))
})
