import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { BINDING_TOLERANCE } from '../../server/token/binding.ts'
import { createReplayCache } from '../../server/token/replay-cache.ts'

/** From the earliest moment at which a binding is accepted to the last: milliseconds. */
const WINDOW = 2 * BINDING_TOLERANCE * 1000
const START = 1_767_225_600_000

test('an identifier is new once', async () => {
  const cache = createReplayCache()
  expect(await cache.remember('a', START)).toBe('new')
  expect(await cache.remember('a', START)).toBe('seen')
  expect(await cache.remember('b', START)).toBe('new')
})

test.each([0, 1, 60_000, 120_000, 120_999])(
  'it is remembered for the whole window, wherever in a generation it came: %i ms',
  async (offset) => {
    const cache = createReplayCache()
    await cache.remember('first', START)
    expect(await cache.remember('a', START + offset)).toBe('new')
    // What makes generations change must not forget it.
    await cache.remember('other', START + offset + WINDOW - 1)
    expect(await cache.remember('a', START + offset + WINDOW)).toBe('seen')
  },
)

test.each([3 * WINDOW, 100 * WINDOW])(
  'it is forgotten long after, %i ms later, so that there is room again',
  async (later) => {
    const cache = createReplayCache(1)
    expect(await cache.remember('a', START)).toBe('new')
    expect(await cache.remember('b', START)).toBe('full')
    expect(await cache.remember('a', START + later)).toBe('new')
  },
)

test('a generation that has had its time makes room, and is still remembered', async () => {
  const cache = createReplayCache(1)
  expect(await cache.remember('a', START)).toBe('new')
  expect(await cache.remember('b', START + WINDOW + 1000)).toBe('new')
  expect(await cache.remember('a', START + WINDOW + 1000)).toBe('seen')
})

test('a full cache refuses what is new and still knows what it has seen', async () => {
  const cache = createReplayCache(2)
  for (const id of ['a', 'b']) expect(await cache.remember(id, START)).toBe('new')
  expect(await cache.remember('c', START)).toBe('full')
  expect(await cache.remember('a', START)).toBe('seen')
  // What was refused has not been remembered.
  expect(await cache.remember('c', START + 3 * WINDOW)).toBe('new')
})

test('of a hundred thousand, no more are kept than there is room for', async () => {
  const cache = createReplayCache(1000)
  const answers = { new: 0, seen: 0, full: 0 }
  for (let i = 0; i < 100_000; i++) answers[await cache.remember(`id-${i}`, START + i)]++
  // 100 s are one generation.
  expect(answers).toEqual({ new: 1000, seen: 0, full: 99_000 })
})

test('a hundred thousand fit by default, and one more does not', async () => {
  const cache = createReplayCache()
  const answers = { new: 0, seen: 0, full: 0 }
  for (let i = 0; i < 100_001; i++) answers[await cache.remember(`id-${i}`, START)]++
  expect(answers).toEqual({ new: 100_000, seen: 0, full: 1 })
})

test('no identifier is new twice within the window, whatever comes between', async () => {
  const arrivals = fc.array(
    fc.record({ id: fc.integer({ min: 0, max: 5 }), wait: fc.nat({ max: WINDOW }) }),
    { maxLength: 40 },
  )
  await fc.assert(
    fc.asyncProperty(arrivals, fc.integer({ min: 1, max: 8 }), async (list, capacity) => {
      const cache = createReplayCache(capacity)
      const lastNew = new Map<number, number>()
      let now = START
      for (const { id, wait } of list) {
        now += wait
        const answer = await cache.remember(String(id), now)
        if (answer !== 'new') continue
        expect(now - (lastNew.get(id) ?? -Infinity)).toBeGreaterThan(WINDOW)
        lastNew.set(id, now)
      }
    }),
    { numRuns: 300 },
  )
})
