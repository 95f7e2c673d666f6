import { afterEach, expect, jest, test } from '@jest/globals'
import { setTimeout as sleep } from 'node:timers/promises'
import { createMemoryLimiter } from '../../server/limits/memory-limiter.ts'
import { createRateLimits } from '../../server/limits/rate-limits.ts'

const ACTIONS = ['login', 'signUp', 'clients', 'reset', 'refresh'] as const
const limitsOf = (limit: { count: number; duration: number } | 'off') =>
  createRateLimits(
    { login: limit, signUp: limit, clients: limit, reset: limit, refresh: limit },
    (each) => createMemoryLimiter(each),
  )

afterEach(() => {
  jest.useRealTimers()
})

test.each(ACTIONS)('%s: refuses the try over the limit, with the time to wait', async (action) => {
  jest.useFakeTimers({ now: 0 })
  const limits = limitsOf({ count: 2, duration: 60 })
  await limits.consume(action, 'address', 'a')
  await limits.consume(action, 'address', 'a')
  await expect(limits.consume(action, 'address', 'a')).rejects.toMatchObject({
    name: 'TooManyTries',
    limit: 'requests',
    retryAfter: 60,
  })
})

test('actions, addresses and accounts are counted separately', async () => {
  const limits = limitsOf({ count: 1, duration: 60 })
  for (const action of ACTIONS) {
    for (const by of ['address', 'account'] as const) {
      for (const key of ['a', 'b']) {
        await expect(limits.consume(action, by, key)).resolves.toBeUndefined()
        await expect(limits.consume(action, by, key)).rejects.toMatchObject({
          name: 'TooManyTries',
        })
      }
    }
  }
})

test('two servers in one process count separately', async () => {
  for (const limits of [
    limitsOf({ count: 1, duration: 60 }),
    limitsOf({ count: 1, duration: 60 }),
  ]) {
    await expect(limits.consume('login', 'address', 'a')).resolves.toBeUndefined()
  }
})

test('"off" refuses nothing', async () => {
  const limits = limitsOf('off')
  await Promise.all(Array.from({ length: 1000 }, () => limits.consume('login', 'address', 'a')))
})

test('the wait counts down to the end of the window', async () => {
  jest.useFakeTimers({ now: 0 })
  const limits = limitsOf({ count: 1, duration: 60 })
  await limits.consume('login', 'address', 'a')
  jest.advanceTimersByTime(59_500)
  await expect(limits.consume('login', 'address', 'a')).rejects.toMatchObject({
    retryAfter: 0.5,
  })
  jest.advanceTimersByTime(500)
  await expect(limits.consume('login', 'address', 'a')).resolves.toBeUndefined()
})

test('the longest window does not end at once', async () => {
  const limits = limitsOf({ count: 1, duration: 86_400 })
  await limits.consume('login', 'address', 'a')
  await sleep(20)
  await expect(limits.consume('login', 'address', 'a')).rejects.toMatchObject({
    name: 'TooManyTries',
  })
})

test('a failing store makes the limit unavailable, with the cause', async () => {
  const failure = new Error('connect ECONNREFUSED')
  const limit = { count: 1, duration: 60 }
  const all = { login: limit, signUp: limit, clients: limit, reset: limit, refresh: limit }
  const limits = createRateLimits(all, () => ({ consume: () => Promise.reject(failure) }))
  const error = await limits.consume('login', 'address', 'a').catch((error: unknown) => error)
  expect(error).toMatchObject({ name: 'UnavailableError', retryAfter: 5, cause: failure })
})

test('a store gets only hashes of equal length as keys', async () => {
  const keys: string[] = []
  const limit = { count: 1, duration: 60 }
  const all = { login: limit, signUp: limit, clients: limit, reset: limit, refresh: limit }
  const limits = createRateLimits(all, () => ({
    consume(key) {
      keys.push(key)
      return Promise.resolve()
    },
  }))
  await limits.consume('login', 'account', 'ada@mail.test')
  await limits.consume('login', 'address', 'ada@mail.test')
  await limits.consume('login', 'account', 'x'.repeat(10_000))
  expect(new Set(keys).size).toBe(3)
  for (const key of keys) expect(key).toMatch(/^[\w-]{43}$/)
})
