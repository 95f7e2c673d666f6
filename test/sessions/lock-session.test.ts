import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { createAccounts } from '../../server/accounts/accounts.ts'
import type { Database } from '../../server/database/open.ts'
import { asSession } from '../../server/sessions/lock-session.ts'
import { endOwnSession, endSessionsOf } from '../../server/sessions/end-sessions.ts'
import type { Session } from '../../server/sessions/session.ts'
import { addSession, NOW, openFilled, sessionOf } from './fixtures.ts'

let db: Database
let session: Session
beforeEach(async () => {
  db = await openFilled()
  for (const id of ['a1', 'a2']) await addSession(db, id)
  await addSession(db, 'b1', { accountId: 'bob' })
  session = await sessionOf(db, 'a1')
})
afterEach(() => db.destroy())

const state = async () => [
  await db.selectFrom('accounts').selectAll().execute(),
  await db.selectFrom('sessions').selectAll().orderBy('id').execute(),
]
const accounts = () => createAccounts(db, () => NOW)

/** Everything that a session does to its account, except changing the password. */
const ACTS: readonly [string, (session: Session) => Promise<unknown>][] = [
  ['renaming', (own) => accounts().rename(own, 'Ada')],
  ['removing the account', (own) => accounts().remove(own)],
  [
    'ending another session',
    (own) => asSession(db, own, NOW, (trx) => endOwnSession(trx, own.account.id, 'a2')),
  ],
  [
    'ending every other session',
    (own) => asSession(db, own, NOW, (trx) => endSessionsOf(trx, own.account.id, own.id)),
  ],
]

describe.each(ACTS)('%s', (_name, act) => {
  test('takes effect while the session lives', async () => {
    const before = await state()
    await act(session)
    expect(await state()).not.toEqual(before)
  })

  test.each<[string, string, () => Promise<unknown>]>([
    [
      'the session has ended',
      'session_ended',
      () => db.deleteFrom('sessions').where('id', '=', 'a1').execute(),
    ],
    [
      'the session has expired',
      'session_ended',
      () => db.updateTable('sessions').set({ expires_at: NOW }).execute(),
    ],
    [
      'the session is of another generation',
      'session_ended',
      () => db.updateTable('sessions').set({ generation: 1 }).where('id', '=', 'a1').execute(),
    ],
    [
      'the session has ended and the account has changed',
      'session_ended',
      async () => {
        await db.deleteFrom('sessions').where('id', '=', 'a1').execute()
        await db.updateTable('accounts').set({ version: 1 }).execute()
      },
    ],
    [
      'the account has another version',
      'account_changed',
      () => db.updateTable('accounts').set({ version: 1 }).where('id', '=', 'ada').execute(),
    ],
    [
      'the account has been removed',
      'session_ended',
      () => db.deleteFrom('accounts').where('id', '=', 'ada').execute(),
    ],
  ])('changes nothing if %s', async (_, reason, interfere) => {
    await interfere()
    const before = await state()
    await expect(act(session)).rejects.toMatchObject({ name: 'RefusedError', reason })
    expect(await state()).toEqual(before)
  })
})

test('failed work is rolled back, and its error is passed on', async () => {
  const before = await state()
  const failing = asSession(db, session, NOW, async (trx) => {
    await endSessionsOf(trx, 'ada', 'a1')
    throw new Error('half done')
  })
  await expect(failing).rejects.toThrow('half done')
  expect(await state()).toEqual(before)
})
