import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import {
  isKnownClient,
  KNOWN_CLIENT_TTL,
  recordSignIn,
  removeForgottenClients,
} from '../../server/limits/known-clients.ts'
import type { Database } from '../../server/database/open.ts'
import { NOW, openFilled } from '../sessions/fixtures.ts'

let db: Database
beforeEach(async () => {
  db = await openFilled()
})
afterEach(() => db.destroy())

const rows = () =>
  db.selectFrom('known_clients').selectAll().orderBy('account_id').orderBy('client_id').execute()

test('a client is known to the account that it has signed in to, and to no other', async () => {
  await recordSignIn(db, 'ada', 'phone', NOW)
  expect(await isKnownClient(db, 'ada@mail.test', 'phone', NOW)).toBe(true)
  expect(await isKnownClient(db, 'ada@mail.test', 'tab', NOW)).toBe(false)
  expect(await isKnownClient(db, 'bob@mail.test', 'phone', NOW)).toBe(false)
  expect(await isKnownClient(db, 'nobody@mail.test', 'phone', NOW)).toBe(false)
})

test('a client is known for 90 days after its last sign-in', async () => {
  await recordSignIn(db, 'ada', 'phone', NOW - 5)
  await recordSignIn(db, 'ada', 'phone', NOW)
  expect(await rows()).toEqual([{ account_id: 'ada', client_id: 'phone', last_sign_in_at: NOW }])
  const isKnownAt = (now: number) => isKnownClient(db, 'ada@mail.test', 'phone', now)
  expect(KNOWN_CLIENT_TTL).toBe(90 * 24 * 3600 * 1000)
  expect(await isKnownAt(NOW + KNOWN_CLIENT_TTL - 1)).toBe(true)
  expect(await isKnownAt(NOW + KNOWN_CLIENT_TTL)).toBe(false)
})

describe('known clients', () => {
  beforeEach(async () => {
    await recordSignIn(db, 'ada', 'phone', NOW)
    await recordSignIn(db, 'ada', 'tab', NOW + 1)
    await recordSignIn(db, 'bob', 'phone', NOW + 1)
  })

  test('are removed once they are forgotten, and no others', async () => {
    const { numDeletedRows } = await removeForgottenClients(db, NOW + KNOWN_CLIENT_TTL, 10)
    expect(numDeletedRows).toBe(1n)
    expect((await rows()).map((row) => `${row.account_id} ${row.client_id}`)).toEqual([
      'ada tab',
      'bob phone',
    ])
  })

  test('are removed so many at a time', async () => {
    const removed = []
    for (let i = 0; i < 3; i++) {
      const { numDeletedRows } = await removeForgottenClients(db, NOW + KNOWN_CLIENT_TTL + 1, 2)
      removed.push(Number(numDeletedRows))
    }
    expect(removed).toEqual([2, 1, 0])
  })

  test('are removed with their account or their client', async () => {
    await db.deleteFrom('accounts').where('id', '=', 'bob').execute()
    expect(await rows()).toHaveLength(2)
    await db.deleteFrom('clients').where('client_id', '=', 'phone').execute()
    expect((await rows()).map(({ client_id }) => client_id)).toEqual(['tab'])
  })
})
