import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { setTimeout as sleep } from 'node:timers/promises'
import { Kysely } from 'kysely'
import Libsql from 'libsql'
import { KNOWN_CLIENT_TTL, recordSignIn } from '../server/limits/known-clients.ts'
import type { Database } from '../server/database/open.ts'
import { migrate } from '../server/database/migrate.ts'
import { CORE_HISTORY } from '../server/database/migrations/index.ts'
import type { Schema } from '../server/database/schema.ts'
import { libsqlDialect } from '../server/database/libsql-dialect.ts'
import { createLogger } from '../server/log/logger.ts'
import { startSweeping, sweepExpired } from '../server/sweep-expired.ts'
import { until } from './support/timers.ts'
import { addSession, NOW, openFilled, sessionIds, sessionRow } from './sessions/fixtures.ts'

let db: Database
beforeEach(async () => {
  db = await openFilled()
})
afterEach(() => db.destroy())

test('expired rows are removed, and live ones stay', async () => {
  await addSession(db, 'over', { expiresAt: NOW - 1 })
  await addSession(db, 'just-over', { expiresAt: NOW })
  await addSession(db, 'alive', { expiresAt: NOW + 1 })
  await db
    .insertInto('refresh_tokens')
    .values([
      { jti_hash: 'of-none', session_id: 'over', expires_at: NOW + 1 },
      { jti_hash: 'over', session_id: 'alive', expires_at: NOW - 1 },
      { jti_hash: 'just-over', session_id: 'alive', expires_at: NOW },
      { jti_hash: 'used', session_id: 'alive', used_at: NOW - 1, expires_at: NOW },
      { jti_hash: 'alive', session_id: 'alive', expires_at: NOW + 1 },
      { jti_hash: 'alive-used', session_id: 'alive', used_at: NOW - 1, expires_at: NOW + 1 },
    ])
    .execute()

  // Two sessions, and three tokens beside those that went with them.
  expect(await sweepExpired(db, NOW)).toBe(5)
  expect(await sessionIds(db)).toEqual(['alive'])
  const tokens = await db
    .selectFrom('refresh_tokens')
    .select('jti_hash')
    .orderBy('jti_hash')
    .execute()
  expect(tokens).toEqual([{ jti_hash: 'alive' }, { jti_hash: 'alive-used' }])
  expect(await db.selectFrom('accounts').select('id').execute()).toHaveLength(2)
  expect(await sweepExpired(db, NOW)).toBe(0)
})

test('records of clients that are no longer known are removed, but not their sessions', async () => {
  await addSession(db, 'alive')
  await recordSignIn(db, 'ada', 'phone', NOW - KNOWN_CLIENT_TTL)
  await recordSignIn(db, 'bob', 'phone', NOW - KNOWN_CLIENT_TTL + 1)
  expect(await sweepExpired(db, NOW)).toBe(1)
  const left = await db.selectFrom('known_clients').select('account_id').execute()
  expect(left).toEqual([{ account_id: 'bob' }])
  expect(await sessionIds(db)).toEqual(['alive'])
})

test.each([499, 500, 501, 1000, 1203])(
  '%d expired sessions are removed in batches of at most 500',
  async (count) => {
    const sizes: number[] = []
    const sqlite = new Libsql(':memory:')
    // Every statement that removes sessions, by the rows it removed.
    const logged = new Kysely<Schema>({
      dialect: libsqlDialect(sqlite, 5000),
      log({ query }) {
        if (!query.sql.startsWith('delete from "sessions"')) return
        sizes.push((sqlite.prepare('select changes() as n').get() as { n: number }).n)
      },
    })
    await migrate(logged, CORE_HISTORY)
    sqlite.exec(`insert into clients (client_id, client_name, jwk, created_at) values ('phone', null, '{}', 1);
    insert into accounts (id, email, email_key, password_hash, scope, created_at)
      values ('ada', 'a', 'a', 'h', 'user', 1);`)
    const rows = Array.from({ length: count }, (_, i) =>
      sessionRow(`over-${i}`, { expiresAt: NOW }),
    )
    for (let i = 0; i < count; i += 500) {
      await logged
        .insertInto('sessions')
        .values(rows.slice(i, i + 500))
        .execute()
    }
    await logged.insertInto('sessions').values(sessionRow('alive')).execute()

    expect(await sweepExpired(logged, NOW)).toBe(count)
    expect(sizes.reduce((sum, size) => sum + size)).toBe(count)
    expect(Math.max(...sizes)).toBeLessThanOrEqual(500)
    expect(await sessionIds(logged)).toEqual(['alive'])
    await logged.destroy()
  },
)

describe('startSweeping', () => {
  const lines: string[] = []
  const logger = createLogger('trace', { write: (line) => void lines.push(line) })
  let stop: (() => Promise<void>) | undefined
  let sweeps = 0
  const sweep = async (now: number) => {
    const removed = await sweepExpired(db, now)
    sweeps++
    return removed
  }

  beforeEach(() => {
    lines.length = 0
    sweeps = 0
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] })
  })
  afterEach(async () => {
    await stop?.()
    stop = undefined
    jest.useRealTimers()
  })

  /** Resolves when so many lines match the pattern. */
  async function logged(pattern: RegExp, count = 1) {
    for (let i = 0; i < 1000; i++) {
      if (lines.filter((line) => pattern.test(line)).length >= count) return
      await sleep(5)
    }
    throw new Error(`never logged ${pattern}: ${lines.join('')}`)
  }

  test('sweeps at once, repeats, and stops on request', async () => {
    let now = NOW
    await addSession(db, 'one', { expiresAt: NOW })
    await addSession(db, 'two', { expiresAt: NOW + 1 })
    await addSession(db, 'three', { expiresAt: NOW + 2 })
    // The timers of the database.
    const timers = jest.getTimerCount()
    stop = startSweeping([sweep], logger, () => now)
    await logged(/"removed":1/)
    expect(await sessionIds(db)).toEqual(['three', 'two'])

    now++
    jest.advanceTimersByTime(5 * 60_000)
    await logged(/"removed":1/, 2)
    expect(await sessionIds(db)).toEqual(['three'])

    now++
    await stop()
    expect(jest.getTimerCount()).toBe(timers)
    jest.advanceTimersByTime(60 * 60_000)
    expect(await sessionIds(db)).toEqual(['three'])
  })

  test.each(['first', 'second'])('stopping waits for the %s sweep', async (which) => {
    await addSession(db, 'one', { expiresAt: NOW })
    let now = which === 'first' ? NOW : NOW - 1
    stop = startSweeping([sweep], logger, () => now)
    if (which === 'second') {
      await until(() => sweeps === 1)
      expect(await sessionIds(db)).toEqual(['one'])
      now++
      jest.advanceTimersByTime(5 * 60_000)
    }
    await stop()
    // Nothing can query the database any more.
    await db.destroy()
    expect(lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([
      { level: expect.not.stringMatching('error'), removed: 1 },
    ])
    db = await openFilled()
  })

  test('logs a failing database, and tries again', async () => {
    const broken = await openFilled()
    await broken.destroy()
    stop = startSweeping([(now) => sweepExpired(broken, now)], logger, () => NOW)
    await logged(/"level":"error".*could not remove what has expired/)
    jest.advanceTimersByTime(5 * 60_000)
    await logged(/"level":"error"/, 2)
  })
})
