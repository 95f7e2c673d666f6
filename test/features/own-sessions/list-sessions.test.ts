import { afterEach, beforeEach, expect, test } from '@jest/globals'
import type { Database } from '../../../server/database/open.ts'
import { listSessions } from '../../../server/features/own-sessions/list-sessions.ts'
import { addSession, NOW, openFilled } from '../../sessions/fixtures.ts'

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
