import { afterEach, beforeEach, expect, test } from '@jest/globals'
import type { Database } from '../../server/database/open.ts'
import { endSurplusSessions } from '../../server/sessions/session-limit.ts'
import { addSession, NOW, openFilled, sessionIds } from './fixtures.ts'

let db: Database
beforeEach(async () => {
  db = await openFilled()
})
afterEach(() => db.destroy())

const end = (newest: string, maxSessions: number) =>
  endSurplusSessions(db, 'ada', newest, NOW, maxSessions)

test('up to the limit, no session ends', async () => {
  for (const id of ['a', 'b', 'c']) await addSession(db, id)
  expect(await end('c', 3)).toEqual([])
  expect(await sessionIds(db)).toEqual(['a', 'b', 'c'])
})

test('over the limit, the session unused the longest ends, whenever it began', async () => {
  await addSession(db, 'oldest', { createdAt: NOW - 9, lastUsedAt: NOW - 1 })
  await addSession(db, 'unused', { createdAt: NOW - 5, lastUsedAt: NOW - 5 })
  await addSession(db, 'other', { createdAt: NOW - 8, lastUsedAt: NOW - 2 })
  await addSession(db, 'new')
  expect(await end('new', 3)).toEqual(['unused'])
  expect(await sessionIds(db)).toEqual(['new', 'oldest', 'other'])
})

test('the newest session stays, even after the clock was set back', async () => {
  await addSession(db, 'future', { createdAt: NOW, lastUsedAt: NOW + 9 })
  await addSession(db, 'new')
  expect(await end('new', 1)).toEqual(['future'])
  expect(await sessionIds(db)).toEqual(['new'])
})

test('all surplus sessions end after the limit was lowered', async () => {
  for (let i = 0; i < 9; i++) await addSession(db, `s${i}`, { lastUsedAt: NOW + i })
  expect((await end('s8', 3)).sort()).toEqual(['s0', 's1', 's2', 's3', 's4', 's5'])
})

test('at most a hundred sessions end at once, and the rest with the next call', async () => {
  for (let i = 0; i < 150; i++) await addSession(db, `s${i}`, { lastUsedAt: NOW + i })
  expect(await end('s149', 10)).toHaveLength(100)
  expect(await end('s149', 10)).toHaveLength(40)
  expect(await end('s149', 10)).toEqual([])
})

test('expired sessions do not count, and those of other accounts do not end', async () => {
  await addSession(db, 'over', { expiresAt: NOW, lastUsedAt: NOW + 1 })
  await addSession(db, 'alive', { lastUsedAt: NOW - 9 })
  await addSession(db, 'bobs', { accountId: 'bob', lastUsedAt: NOW - 99 })
  await addSession(db, 'new')
  expect(await end('new', 2)).toEqual([])
  expect(await end('new', 1)).toEqual(['alive'])
  expect(await sessionIds(db)).toEqual(['bobs', 'new', 'over'])
})
