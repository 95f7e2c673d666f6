import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { createLockout, lockoutKey, type Lockout } from '../../server/limits/lockout.ts'
import type { TooManyTries } from '../../server/limits/too-many-tries.ts'

const DAY = 86_400

let lockout: Lockout
beforeEach(() => {
  jest.useFakeTimers({ now: 0 })
  lockout = createLockout()
})
afterEach(() => {
  jest.useRealTimers()
})

/** Seconds to wait; 0 where the attempt was let through. */
async function attempt(key = 'a'): Promise<number> {
  try {
    await lockout.attempt(key)
    return 0
  } catch (error) {
    expect(error).toMatchObject({ name: 'TooManyTries', limit: 'wrong_passwords' })
    return Math.ceil((error as TooManyTries).retryAfter)
  }
}

/** Tries until there is something to wait for. */
async function lock(key = 'a'): Promise<number> {
  for (let tries = 0; tries < 100; tries++) {
    const wait = await attempt(key)
    if (wait > 0) return wait
  }
  throw new Error('never locked')
}

test('five failures are free; each after them doubles the wait, up to 15 minutes', async () => {
  for (let free = 0; free < 5; free++) expect(await attempt()).toBe(0)
  const waits = []
  for (let round = 0; round < 13; round++) {
    expect(await attempt()).toBe(0)
    const wait = await attempt()
    waits.push(wait)
    jest.advanceTimersByTime(wait * 1000)
  }
  expect(waits).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900])
})

test('an attempt while locked does not make the wait longer, nor is it let through early', async () => {
  for (let i = 0; i < 8; i++) {
    const wait = await lock()
    jest.advanceTimersByTime(wait * 1000)
  }
  expect(await attempt()).toBe(0)
  expect(await attempt()).toBe(256)
  jest.advanceTimersByTime(255_001)
  expect(await attempt()).toBe(1)
  jest.advanceTimersByTime(999)
  expect(await attempt()).toBe(0)
})

test('a right password forgets the failures and the lock', async () => {
  await lock()
  await lockout.clear('a')
  for (let free = 0; free < 5; free++) expect(await attempt()).toBe(0)
})

test('failures are forgotten after a day', async () => {
  await lock()
  jest.advanceTimersByTime(DAY * 1000)
  for (let free = 0; free < 5; free++) expect(await attempt()).toBe(0)
})

test('one key is not held up by another', async () => {
  await lock('a')
  expect(await attempt('b')).toBe(0)
})

test('two servers in one process lock apart', async () => {
  await lock()
  lockout = createLockout()
  expect(await attempt()).toBe(0)
})

describe('fifty at once', () => {
  test('count as fifty', async () => {
    await Promise.all(Array.from({ length: 50 }, () => attempt()))
    expect(await attempt()).toBeGreaterThan(0)
  })

  test('are let through no more than one after the other would be', async () => {
    const waits = await Promise.all(Array.from({ length: 50 }, () => attempt()))
    expect(waits.filter((wait) => wait === 0)).toHaveLength(6)
  })
})

test.each([
  [true, { clientId: 'other' }, false],
  [true, { address: '192.0.2.2' }, true],
  [false, { clientId: 'other' }, true],
  [false, { address: '192.0.2.2' }, false],
])('known client %s, other %j: locked out together %s', (isKnownClient, other, isTogether) => {
  const who = { isKnownClient, clientId: 'client', address: '192.0.2.1' }
  const key = lockoutKey('ada@mail.test', who)
  expect(lockoutKey('ada@mail.test', { ...who, ...other }) === key).toBe(isTogether)
  expect(lockoutKey('eve@mail.test', who)).not.toBe(key)
  expect(lockoutKey('ada@mail.test', { ...who, isKnownClient: !isKnownClient })).not.toBe(key)
})
