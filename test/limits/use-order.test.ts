import { expect, test } from '@jest/globals'
import { createUseOrder, type Used } from '../../server/limits/use-order.ts'

function cacheOf(capacity: number) {
  const entries = new Map<string, Used>()
  const use = createUseOrder(capacity)
  return {
    use(...ids: string[]) {
      for (const id of ids) use(entries, id, entries.get(id) ?? {})
    },
    order: () => [...entries.keys()].join(''),
  }
}

test('the entry that has been unused the longest comes first', () => {
  const cache = cacheOf(4)
  cache.use('a', 'b', 'c')
  expect(cache.order()).toBe('abc')
  cache.use('a')
  expect(cache.order()).toBe('bca')
  cache.use('c', 'b', 'b')
  expect(cache.order()).toBe('acb')
})

test('an entry is moved at most once in a quarter of the capacity', () => {
  const cache = cacheOf(40)
  cache.use(...Array.from('abcdefghi'))
  cache.use('a')
  expect(cache.order()).toBe('abcdefghi')
  cache.use('a')
  expect(cache.order()).toBe('bcdefghia')
})

test('an entry that is used all the time is never among the first three quarters', () => {
  const cache = cacheOf(100)
  for (let n = 0; n < 100; n++) {
    cache.use(String.fromCodePoint(0x4e00 + n), '-')
    if (n > 50) expect(cache.order().indexOf('-')).toBeGreaterThan(n * 0.75)
  }
})
