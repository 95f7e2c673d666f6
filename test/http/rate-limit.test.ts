import { expect, jest, test } from '@jest/globals'
import type { AppContext } from '../../server/http/context.ts'
import { TooManyTries } from '../../server/errors/too-many-tries.ts'
import type { RateLimits } from '../../server/limits/rate-limits.ts'
import { rateLimit } from '../../server/http/rate-limit.ts'

const contextOf = (ip: string) => ({ ip }) as AppContext

test.each([
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
])('%s is counted as %s before the next middleware runs', async (ip, key) => {
  const order: string[] = []
  const consume = jest.fn<RateLimits<'reset'>['consume']>(() => {
    order.push('consume')
    return Promise.resolve()
  })
  await rateLimit({ consume }, 'reset')(contextOf(ip), () => {
    order.push('next')
    return Promise.resolve()
  })
  expect(consume.mock.calls).toEqual([['reset', 'address', key]])
  expect(order).toEqual(['consume', 'next'])
})

test('a part of a limit has its own count', async () => {
  const consume = jest.fn<RateLimits<'reset'>['consume']>(() => Promise.resolve())
  const next = () => Promise.resolve()
  await rateLimit({ consume }, 'reset', 'token')(contextOf('192.0.2.1'), next)
  expect(consume.mock.calls).toEqual([['reset', 'address', '192.0.2.1 token']])
})

test('a request over the limit does not reach the next middleware', async () => {
  const next = jest.fn(() => Promise.resolve())
  const consume = () => Promise.reject(new TooManyTries('requests', 7))
  await expect(rateLimit({ consume }, 'login')(contextOf('192.0.2.1'), next)).rejects.toMatchObject(
    { name: 'TooManyTries', retryAfter: 7 },
  )
  expect(next).not.toHaveBeenCalled()
})
