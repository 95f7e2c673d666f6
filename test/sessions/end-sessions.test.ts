import { afterEach, beforeEach, expect, test } from '@jest/globals'
import type { Database } from '../../server/database/open.ts'
import { endOwnSession, endSessionsOf } from '../../server/sessions/end-sessions.ts'
import { addSession, openFilled, sessionIds } from './fixtures.ts'

let db: Database
beforeEach(async () => {
  db = await openFilled()
})
afterEach(() => db.destroy())

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
