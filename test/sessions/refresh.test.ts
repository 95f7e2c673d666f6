import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Kysely, SqliteDialect } from 'kysely'
import Libsql from 'libsql'
import type { Database } from '../../server/database/open.ts'
import type { Schema } from '../../server/database/schema.ts'
import { hashJti, recordRefreshToken, successorOf } from '../../server/sessions/refresh-tokens.ts'
import { rotateRefreshToken } from '../../server/sessions/refresh.ts'
import { addSession, NOW, openFilled, sessionIds } from './fixtures.ts'

const INTERVAL = 10_000
const SID = 'session'
/** When the session of these tests expires unless it is renewed. */
const END = NOW + 3_600_000
/** Milliseconds that a renewal adds. */
const TTL = 90 * 86_400_000

let db: Database
let recorded = 0

beforeEach(async () => {
  db = await openFilled()
  await addSession(db, SID)
})
afterEach(() => db.destroy())

/** Records an unused token, as signing in does; returns its `jti`. */
async function record(sid = SID): Promise<string> {
  const jti = `first-${recorded++}`
  await recordRefreshToken(db, sid, jti, END)
  return jti
}

const rotate = (jti: string, at = NOW, sid = SID, gen?: number, on = db, databaseKey?: string) => {
  const policy = { now: at, reuseInterval: INTERVAL, expiryOf: () => at + TTL, databaseKey }
  return on.transaction().execute((trx) => rotateRefreshToken(trx, { sid, jti, gen }, policy))
}
const outcome = async (...args: Parameters<typeof rotate>) => (await rotate(...args)).outcome

/** Uses a token that must be good; returns its successor's `jti`. */
async function next(jti: string, at = NOW, sid = SID): Promise<string> {
  const rotation = await rotate(jti, at, sid)
  if (rotation.outcome !== 'rotated') throw new Error(rotation.outcome)
  return rotation.jti
}

const rows = () => db.selectFrom('refresh_tokens').selectAll().execute()
const rowOf = async (jti: string) =>
  (await rows()).find(({ jti_hash }) => jti_hash === hashJti(jti))
const session = async () => {
  const [row] = await db.selectFrom('sessions').selectAll().where('id', '=', SID).execute()
  return row
}

describe('the first use of a token', () => {
  test('records its time, a salt, and the successor that is derived from it', async () => {
    const jti = await record()
    const rotation = await rotate(jti, NOW + 5)
    const { salt } = (await rowOf(jti))!
    const successor = successorOf(jti, salt!, SID)
    expect(rotation).toEqual({
      outcome: 'rotated',
      jti: successor,
      expiresAt: NOW + 5 + TTL,
    })
    expect(Buffer.from(salt!, 'base64url')).toHaveLength(32)
    expect(await rows()).toHaveLength(2)
    expect(await rowOf(jti)).toMatchObject({ used_at: NOW + 5, session_id: SID })
    expect(await rowOf(successor)).toEqual({
      jti_hash: hashJti(successor),
      session_id: SID,
      used_at: null,
      salt: null,
      expires_at: NOW + 5 + TTL,
    })
  })

  test('extends its session, and no other', async () => {
    await addSession(db, 'other')
    await rotate(await record(), NOW + 7)
    expect(await session()).toMatchObject({ last_used_at: NOW + 7, expires_at: NOW + 7 + TTL })
    const others = await db
      .selectFrom('sessions')
      .select('expires_at')
      .where('id', '=', 'other')
      .execute()
    expect(others).toEqual([{ expires_at: END }])
  })

  test('replaces the database key of its session if it is given another', async () => {
    const jti = await next(await record())
    expect(await session()).toMatchObject({ database_key: 'sealed' })
    await rotate(jti, NOW + 1, SID, undefined, db, 'sealed again')
    expect(await session()).toMatchObject({ database_key: 'sealed again' })
  })

  test('stores neither the token’s jti nor that of its successor', async () => {
    const jti = await record()
    const successor = await next(jti)
    const stored = JSON.stringify(await rows())
    for (const secret of [jti, successor]) expect(stored).not.toContain(secret)
  })
})

describe('a used token', () => {
  test('gives the same successor each time within the interval', async () => {
    const jti = await record()
    const first = await rotate(jti)
    for (let use = 0; use < 600; use++) {
      // Later uses prolong nothing: they are not renewals.
      expect(await rotate(jti, NOW + Math.floor((use * INTERVAL) / 599))).toEqual(first)
    }
    await rotate(jti, NOW, SID, undefined, db, 'sealed again')
    expect(await rows()).toHaveLength(2)
    expect(await session()).toMatchObject({
      last_used_at: NOW,
      expires_at: NOW + TTL,
      database_key: 'sealed',
    })
  })

  test.each([
    ['at once gives its successor', 0, 'rotated'],
    ['when the interval ends gives its successor', INTERVAL, 'rotated'],
    ['a millisecond later ends the session', INTERVAL + 1, 'reused'],
    ['long after ends the session', 86_400_000, 'reused'],
  ])('that is used again %s', async (_, later, expected) => {
    const jti = await record()
    await rotate(jti)
    expect(await outcome(jti, NOW + later)).toBe(expected)
    expect(await sessionIds(db)).toEqual(expected === 'reused' ? [] : [SID])
  })

  test('does not prolong the interval, which runs from the first use', async () => {
    const jti = await record()
    await rotate(jti)
    expect(await outcome(jti, NOW + INTERVAL)).toBe('rotated')
    expect((await rowOf(jti))!.used_at).toBe(NOW)
    expect(await outcome(jti, NOW + INTERVAL + 1)).toBe('reused')
  })

  test('is refused without harm to the session if its successor has been used', async () => {
    const first = await record()
    const second = await next(first)
    const third = await next(second, NOW + 1)
    for (const at of [NOW + 1, NOW + INTERVAL]) {
      expect(await outcome(first, at)).toBe('superseded')
    }
    expect(await sessionIds(db)).toEqual([SID])
    expect(await next(second, NOW + INTERVAL + 1)).toBe(third)
    expect(await outcome(third, NOW + INTERVAL + 1)).toBe('rotated')
  })

  test('counts as reused after the interval, however many tokens came after it', async () => {
    const first = await record()
    const second = await next(first)
    await next(second, NOW + 1)
    expect(await outcome(first, NOW + INTERVAL + 1)).toBe('reused')
    expect(await outcome(second, NOW + INTERVAL + 1)).toBe('unknown')
  })

  test('counts as reused even if its record has been removed by another use', async () => {
    const first = await record()
    const second = await next(first)
    const third = await next(second, NOW + INTERVAL + 1)
    expect((await rows()).map((row) => row.jti_hash).toSorted()).toEqual(
      [hashJti(second), hashJti(third)].toSorted(),
    )
    expect(await outcome(first, NOW)).toBe('reused')
  })

  test('that an older server has used gets one successor, and no longer interval', async () => {
    const jti = await record()
    await db.updateTable('refresh_tokens').set({ used_at: NOW }).execute()
    const successor = await next(jti, NOW + 4000)
    expect(await next(jti, NOW + INTERVAL)).toBe(successor)
    expect(await rows()).toHaveLength(2)
    expect(await outcome(jti, NOW + INTERVAL + 1)).toBe('reused')
  })

  test('that an older server used long ago counts as reused', async () => {
    const jti = await record()
    await db
      .updateTable('refresh_tokens')
      .set({ used_at: NOW - INTERVAL - 1 })
      .execute()
    expect(await outcome(jti)).toBe('reused')
  })
})

describe('a token of another generation', () => {
  const setGeneration = (generation: number) =>
    db.updateTable('sessions').set({ generation }).where('id', '=', SID).execute()

  test.each([
    [1, undefined],
    [2, 1],
    [0, 1],
  ])('(session: %d, token: %s) is refused without harm, used or not', async (generation, gen) => {
    const jti = await record()
    await setGeneration(generation)
    const before = [await rows(), await session()]
    // An unused token, and one without a record, as after a change of the password.
    for (const each of [jti, 'of a row that is gone']) {
      expect(await outcome(each, NOW, SID, gen)).toBe('unknown')
    }
    expect([await rows(), await session()]).toEqual(before)
  })

  test('does not include one of the same generation, which is rotated or reused as usual', async () => {
    const jti = await record()
    await setGeneration(3)
    expect(await outcome(jti, NOW, SID, 3)).toBe('rotated')
    expect(await outcome('of a row that is gone', NOW, SID, 3)).toBe('reused')
  })
})

test.each([
  ['without a record counts as reused', 'nobody’s', SID, 'reused'],
  ['of an unknown session is unknown', undefined, 'no-session', 'unknown'],
])('a token %s', async (_, jti, sid, expected) => {
  const known = await record()
  expect(await outcome(jti ?? known, NOW, sid)).toBe(expected)
  expect(await outcome(known)).toBe(expected === 'reused' ? 'unknown' : 'rotated')
})

test('a token of another session counts as reused, and stays unused', async () => {
  await addSession(db, 'other')
  const jti = await record('other')
  expect(await outcome(jti)).toBe('reused')
  expect(await sessionIds(db)).toEqual(['other'])
  expect(await rows()).toEqual([expect.objectContaining({ used_at: null })])
  expect(await outcome(jti, NOW, 'other')).toBe('rotated')
})

test.each([
  [-1, 'rotated'],
  [0, 'unknown'],
  [1, 'unknown'],
])('%d ms after its session has expired, a token is %s', async (later, expected) => {
  const jti = await record()
  expect(await outcome(jti, END + later)).toBe(expected)
})

test('removes tokens that were used before the interval, but not those of other sessions', async () => {
  await addSession(db, 'other')
  const others = await record('other')
  await rotate(others, NOW, 'other')
  let jti = await record()
  for (let i = 0; i < 5; i++) jti = await next(jti, NOW + i * (INTERVAL + 1))
  const kept = (await rows()).filter(({ session_id }) => session_id === SID)
  expect(kept.map(({ used_at }) => used_at).toSorted()).toEqual([NOW + 4 * (INTERVAL + 1), null])
  expect((await rowOf(others))!.used_at).toBe(NOW)
})

describe('while another process writes to the same file', () => {
  let folder: string
  let file: string
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'refresh-'))
    file = join(folder, 'auth.db')
    await db.destroy()
    db = await openFilled(file)
    await addSession(db, SID)
  })
  afterEach(() => rm(folder, { recursive: true, force: true }))

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

  async function outcomeOn(racing: Database, jti: string): Promise<string> {
    try {
      return await outcome(jti, NOW, SID, undefined, racing)
    } finally {
      await racing.destroy()
    }
  }

  test.each([
    [
      'a use of long ago makes this one a reuse',
      `update refresh_tokens set used_at = ${NOW - INTERVAL - 1}`,
      'reused',
    ],
    ['the session has ended', 'delete from sessions', 'unknown'],
    ['the password has changed', 'update sessions set generation = 1', 'unknown'],
  ])('sees what was written after the transaction began: %s', async (_, statement, expected) => {
    const jti = await record()
    let times = 0
    const racing = interferedWith(/^begin/, (other) => {
      times++
      other.exec(statement)
    })
    expect(await outcomeOn(racing, jti)).toBe(expected)
    expect(times).toBe(1)
  })

  test('gives the same successor as another use that was written after the transaction began', async () => {
    const jti = await record()
    const salt = Buffer.alloc(32, 7).toString('base64url')
    const successor = successorOf(jti, salt, SID)
    const racing = interferedWith(/^begin/, (other) => {
      other.exec(`update refresh_tokens set used_at = ${NOW}, salt = '${salt}'`)
      other.exec(
        `insert into refresh_tokens values ('${hashJti(successor)}', '${SID}', null, ${END}, null)`,
      )
    })
    const rotation = await rotate(jti, NOW, SID, undefined, racing)
    await racing.destroy()
    expect(rotation).toMatchObject({ jti: successor, expiresAt: END })
    expect(await rows()).toHaveLength(2)
  })

  test('does not fail if the other process tries to write in the middle of a renewal', async () => {
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
    expect(await outcomeOn(racing, jti)).toBe('rotated')
    // It can write before and after the renewal, and has to wait in between.
    expect([outcomes[0], outcomes.at(-1)]).toEqual(['written', 'written'])
    expect(new Set(outcomes.slice(1, -1))).toEqual(new Set(['database is locked']))
  })
})
