import { afterEach, beforeEach, expect, test } from '@jest/globals'
import type { Database } from '../../server/database/open.ts'
import { endOwnSession, endSessionsOf, listSessions } from '../../server/sessions/own-sessions.ts'
import { addSession, NOW, openFilled, sessionIds } from './fixtures.ts'

let db: Database
beforeEach(async () => {
  db = await openFilled()
})
afterEach(() => db.destroy())

const listed = async (accountId: string, now = NOW, limit = 100) =>
  (await listSessions(db, accountId, now, limit)).map(({ id }) => id)

test('a session is listed with its client and its times', async () => {
  await addSession(db, 's', { createdAt: NOW - 500, lastUsedAt: NOW - 100 })
  expect(await listSessions(db, 'ada', NOW, 100)).toEqual([
    {
      id: 's',
      client_id: 'phone',
      client_name: 'A phone',
      created_at: NOW - 500,
      last_used_at: NOW - 100,
    },
  ])
})

test('the newest session comes first, and sessions of the same time are ordered by id', async () => {
  await addSession(db, 'old', { createdAt: NOW - 2, lastUsedAt: NOW })
  await addSession(db, 'new-b', { createdAt: NOW })
  await addSession(db, 'new-a', { createdAt: NOW, clientId: 'tab' })
  await addSession(db, 'middle', { createdAt: NOW - 1 })
  expect(await listed('ada')).toEqual(['new-a', 'new-b', 'middle', 'old'])
  expect((await listSessions(db, 'ada', NOW, 100))[0]!.client_name).toBeNull()
})

test('sessions of other accounts and expired ones are not listed', async () => {
  await addSession(db, 'bobs', { accountId: 'bob' })
  await addSession(db, 'over', { expiresAt: NOW })
  await addSession(db, 'almost', { expiresAt: NOW + 1 })
  expect(await listed('ada')).toEqual(['almost'])
  expect(await listed('ada', NOW + 1)).toEqual([])
  expect(await listed('nobody')).toEqual([])
})

test('beyond the limit, only those used most recently are listed, newest first', async () => {
  await addSession(db, 'unused', { createdAt: NOW - 1, lastUsedAt: NOW - 1 })
  await addSession(db, 'old', { createdAt: NOW - 9, lastUsedAt: NOW })
  await addSession(db, 'new', { createdAt: NOW - 2, lastUsedAt: NOW })
  expect(await listed('ada', NOW, 2)).toEqual(['new', 'old'])
  expect(await listed('ada', NOW, 3)).toEqual(['unused', 'new', 'old'])
})

test('a session is ended once, and by its owner only', async () => {
  await addSession(db, 's')
  await addSession(db, 'other')
  expect(await endOwnSession(db, 'bob', 's')).toBe(false)
  expect(await endOwnSession(db, 'ada', 'nothing')).toBe(false)
  expect(await sessionIds(db)).toEqual(['other', 's'])
  expect(await endOwnSession(db, 'ada', 's')).toBe(true)
  expect(await endOwnSession(db, 'ada', 's')).toBe(false)
  expect(await sessionIds(db)).toEqual(['other'])
})

test('a session is ended by a token only if it is of the same generation', async () => {
  await addSession(db, 's')
  await db.updateTable('sessions').set({ generation: 2 }).execute()
  for (const other of [0, 1, 3]) expect(await endOwnSession(db, 'ada', 's', other)).toBe(false)
  expect(await sessionIds(db)).toEqual(['s'])
  expect(await endOwnSession(db, 'ada', 's', 2)).toBe(true)
})

test.each([
  [undefined, ['a1', 'a2', 'a3'], ['b1']],
  ['a2', ['a1', 'a3'], ['a2', 'b1']],
  ['', ['a1', 'a2', 'a3'], ['b1']],
  ['b1', ['a1', 'a2', 'a3'], ['b1']],
])('endSessionsOf ends all sessions of the account except %j', async (except, ended, left) => {
  for (const id of ['a1', 'a2', 'a3']) await addSession(db, id)
  await addSession(db, 'b1', { accountId: 'bob' })
  expect((await endSessionsOf(db, 'ada', except)).sort()).toEqual(ended)
  expect(await sessionIds(db)).toEqual(left)
})

test('a failed transaction ends no session', async () => {
  await addSession(db, 's')
  const work = db.transaction().execute(async (trx) => {
    expect(await endSessionsOf(trx, 'ada')).toEqual(['s'])
    throw new Error('undone')
  })
  await expect(work).rejects.toThrow('undone')
  expect(await sessionIds(db)).toEqual(['s'])
})
