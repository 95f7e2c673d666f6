import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { createClients, markUsed, type Clients } from '../../server/clients/clients.ts'
import type { Database } from '../../server/database/open.ts'
import { sweepExpired } from '../../server/sweep-expired.ts'
import { addSession, NOW, openFilled } from '../sessions/fixtures.ts'
import { createClock, type TestClock } from '../support/clock.ts'
import { openTestDatabase } from '../support/database.ts'

/** Seconds. */
const TTL = 3600
/** Seconds; an expired client is removed by then. */
const LATER = TTL + 3600

let db: Database
let clock: TestClock
let clients: Clients
beforeEach(async () => {
  db = await openTestDatabase()
  clock = createClock()
  clients = createClients(db, clock, { unusedClientTtl: TTL })
})
afterEach(() => db.destroy())

const jwk = { kty: 'EC' }
const register = (id = 'phone', name: string | null = null) =>
  clients.register({ id, name, jwk, alg: 'ECDH-ES+A128KW', isKeyBound: false })
const stored = async () => {
  const rows = await db.selectFrom('clients').select('client_id').orderBy('client_id').execute()
  return rows.map(({ client_id }) => client_id)
}
const isFound = async (id = 'phone') => (await clients.find(id)) !== undefined

test('a client that is never used is found until it expires', async () => {
  expect(await register()).toMatchObject({ isNew: true, client: { createdAt: clock() } })
  clock.advance(TTL - 1)
  expect(await isFound()).toBe(true)
  clock.advance(1)
  expect(await isFound()).toBe(false)
})

test('an expired client is removed after ten minutes, when no sign-in can still use it', async () => {
  await register()
  clock.advance(TTL)
  await sweepExpired(db, clock())
  expect(await stored()).toEqual(['phone'])
  clock.advance(9 * 60)
  await sweepExpired(db, clock())
  expect(await stored()).toEqual(['phone'])
  clock.advance(60)
  expect(await sweepExpired(db, clock())).toBe(1)
  expect(await stored()).toEqual([])
})

test('the key of a removed client can be registered again, as a new client', async () => {
  await register()
  clock.advance(LATER)
  await sweepExpired(db, clock())
  expect(await register()).toMatchObject({ isNew: true, client: { createdAt: clock() } })
  expect(await isFound()).toBe(true)
})

test('a used client stays, even without sessions', async () => {
  await register()
  await markUsed(db, 'phone')
  clock.advance(100 * LATER)
  expect(await sweepExpired(db, clock())).toBe(0)
  expect(await isFound()).toBe(true)
})

test('an unknown client cannot be used', async () => {
  await expect(markUsed(db, 'phone')).rejects.toMatchObject({ reason: 'unknown_client' })
})

describe('a second registration', () => {
  test('restarts the lifetime of an unused client, and changes nothing else', async () => {
    const first = await register('phone', 'A phone')
    clock.advance(TTL - 1)
    expect(await register('phone', 'Another name')).toEqual({ client: first.client, isNew: false })
    clock.advance(TTL - 1)
    expect(await isFound()).toBe(true)
    clock.advance(1)
    expect(await isFound()).toBe(false)
  })

  test('revives a client that has expired but has not been removed yet', async () => {
    const first = await register()
    clock.advance(TTL)
    expect(await register()).toEqual({ client: first.client, isNew: false })
    expect(await isFound()).toBe(true)
    await sweepExpired(db, clock())
    expect(await stored()).toEqual(['phone'])
  })

  test('gives a used client no expiry', async () => {
    await register()
    await markUsed(db, 'phone')
    await register()
    clock.advance(LATER)
    await sweepExpired(db, clock())
    expect(await isFound()).toBe(true)
  })

  test('at the same time creates one client, and only one answer says that it is new', async () => {
    const registered = await Promise.all(Array.from({ length: 10 }, () => register()))
    expect(registered.filter(({ isNew }) => isNew)).toHaveLength(1)
    expect(await stored()).toEqual(['phone'])
  })
})

test('clients from before there was an expiry are never removed, with or without a session', async () => {
  const old = await openFilled()
  await addSession(old, 's', { clientId: 'phone', expiresAt: NOW + 1 })
  const later = NOW + 10 * 365 * 86_400_000
  // Only the session is removed.
  expect(await sweepExpired(old, later)).toBe(1)
  for (const id of ['phone', 'tab']) {
    const row = old.selectFrom('clients').select('client_id').where('client_id', '=', id)
    expect(await row.executeTakeFirst()).toBeDefined()
  }
  await old.destroy()
})
