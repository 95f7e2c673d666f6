import { afterEach, beforeEach, expect, jest, test } from '@jest/globals'
import { createMemoryLimiter } from '../../server/limits/memory-limiter.ts'
import type { Limiter } from '../../server/limits/rate-limits.ts'

const CAPACITY = 3
let limiter: Limiter
beforeEach(() => {
  jest.useFakeTimers({ now: 0 })
  limiter = createMemoryLimiter({ count: 1, duration: 60 }, CAPACITY)
})
afterEach(() => {
  jest.useRealTimers()
})

/** Whether each key is let through. */
async function tryAll(...keys: string[]): Promise<boolean[]> {
  const results = []
  for (const key of keys) {
    results.push(
      await limiter.consume(key).then(
        () => true,
        () => false,
      ),
    )
  }
  return results
}

test('counts as many keys as its capacity', async () => {
  expect(await tryAll('a', 'b', 'c')).toEqual([true, true, true])
  expect(await tryAll('a', 'b', 'c')).toEqual([false, false, false])
})

test('another key evicts the oldest, and no other', async () => {
  expect(await tryAll('a', 'b', 'c', 'd')).toEqual([true, true, true, true])
  expect(await tryAll('b', 'c', 'd')).toEqual([false, false, false])
  expect(await tryAll('a')).toEqual([true])
  expect(await tryAll('c', 'd', 'a')).toEqual([false, false, false])
})

test('a key that tries again takes no more room', async () => {
  await tryAll('a', 'a', 'a', 'a', 'b', 'c')
  expect(await tryAll('a', 'b', 'c')).toEqual([false, false, false])
})

test('ended windows make room first', async () => {
  await tryAll('a', 'b')
  jest.advanceTimersByTime(30_000)
  await tryAll('c')
  jest.advanceTimersByTime(30_000)
  // The first two windows have ended, so the third key stays.
  expect(await tryAll('d', 'e', 'c')).toEqual([true, true, false])
})

test('a key whose window has ended begins another, as the newest', async () => {
  await tryAll('a', 'b')
  jest.advanceTimersByTime(60_000)
  expect(await tryAll('b', 'a')).toEqual([true, true])
  await tryAll('c', 'd')
  expect(await tryAll('a', 'c', 'd')).toEqual([false, false, false])
})

test('the number of timers stays within the capacity, however many keys come', async () => {
  const before = jest.getTimerCount()
  await tryAll(...Array.from({ length: 100 }, (_, index) => `key ${index}`))
  expect(jest.getTimerCount() - before).toBe(CAPACITY)
})
