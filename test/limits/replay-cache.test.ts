import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { BINDING_TOLERANCE } from '../../protocol/binding.ts'
import { createReplayCache as create } from '../../server/limits/replay-cache.ts'

/** Milliseconds from the first moment at which a binding is accepted to the last. */
const WINDOW = 2 * BINDING_TOLERANCE * 1000
const START = 1_767_225_600_000

/** A cache in memory does not need the time at which a request was bound. */
function createReplayCache(capacity?: number) {
  const cache = create(capacity)
  return {
    remember: (id: string, now: number, account: string) =>
      cache.remember(id, now, account, now) as Promise<'new' | 'seen' | 'full' | 'account_full'>,
  }
}

test('an identifier is new once', async () => {
  const cache = createReplayCache()
  expect(await cache.remember('a', START, 'ada')).toBe('new')
  expect(await cache.remember('a', START, 'ada')).toBe('seen')
  expect(await cache.remember('b', START, 'ada')).toBe('new')
})

test.each([0, 1, 60_000, 120_000, 120_999])(
  'an identifier that came %i ms into a generation is remembered for the whole window',
  async (offset) => {
    const cache = createReplayCache()
    await cache.remember('first', START, 'ada')
    expect(await cache.remember('a', START + offset, 'ada')).toBe('new')
    // A change of generations must not forget it.
    await cache.remember('other', START + offset + WINDOW - 1, 'ada')
    expect(await cache.remember('a', START + offset + WINDOW, 'ada')).toBe('seen')
  },
)

test.each([3 * WINDOW, 100 * WINDOW])(
  'an identifier is forgotten %i ms later, so that there is room again',
  async (later) => {
    const cache = createReplayCache(1)
    expect(await cache.remember('a', START, 'ada')).toBe('new')
    expect(await cache.remember('b', START, 'ada')).toBe('full')
    expect(await cache.remember('a', START + later, 'ada')).toBe('new')
  },
)

test('an ended generation makes room, and is still remembered', async () => {
  const cache = createReplayCache(1)
  expect(await cache.remember('a', START, 'ada')).toBe('new')
  expect(await cache.remember('b', START + WINDOW + 1000, 'ada')).toBe('new')
  expect(await cache.remember('a', START + WINDOW + 1000, 'ada')).toBe('seen')
})

test('a full cache refuses new identifiers, and still knows those it has seen', async () => {
  const cache = createReplayCache(2)
  for (const id of ['a', 'b']) expect(await cache.remember(id, START, `of-${id}`)).toBe('new')
  expect(await cache.remember('c', START, 'of-c')).toBe('full')
  expect(await cache.remember('a', START, 'ada')).toBe('seen')
  // A refused identifier is not remembered.
  expect(await cache.remember('c', START + 3 * WINDOW, 'ada')).toBe('new')
})

test.each([
  ['ten accounts leave room', 10, { new: 560, seen: 0, full: 0, account_full: 19_440 }],
  ['thousands fill it', 20_000, { new: 1000, seen: 0, full: 19_000, account_full: 0 }],
])(
  'of twenty thousand identifiers, no more are kept than there is room for: %s',
  async (_, of, expected) => {
    const cache = createReplayCache(1000)
    const answers = { new: 0, seen: 0, full: 0, account_full: 0 }
    for (let i = 0; i < 20_000; i++) {
      answers[await cache.remember(`id-${i}`, START + 5 * i, `account-${i % of}`)]++
    }
    // 100 s are one generation.
    expect(answers).toEqual(expected)
  },
)

test.each([1, 3, 30])('%i accounts cannot fill the cache for another', async (attackers) => {
  const cache = createReplayCache(10_000)
  // One after the other, which gains them the most.
  for (let i = 0; i < attackers; i++) {
    let n = 0
    while ((await cache.remember(`${i}-${n}`, START, `attacker-${i}`)) === 'new') n++
  }
  for (let i = 0; i < 30; i++) expect(await cache.remember(`own ${i}`, START, 'ada')).toBe('new')
})

describe('one account', () => {
  test('fills a ninth of what the others leave, and never fills the cache for them', async () => {
    const cache = createReplayCache(10_000)
    const greedy = { new: 0, seen: 0, full: 0, account_full: 0 }
    const others = { new: 0, seen: 0, full: 0, account_full: 0 }
    // Four of five requests are its own; each of the others is of another account.
    for (let i = 0; i < 20_000; i++) {
      const isGreedy = i % 5 !== 0
      const answer = await cache.remember(`id-${i}`, START, isGreedy ? 'greedy' : `account-${i}`)
      const answers = isGreedy ? greedy : others
      answers[answer]++
    }
    expect(others).toEqual({ new: 4000, seen: 0, full: 0, account_full: 0 })
    expect(greedy.full).toBe(0)
    // The others leave between 10,000 and 6000. A count may lack a 1024th.
    expect(greedy.new).toBeGreaterThanOrEqual(6000 / 9)
    expect(greedy.new).toBeLessThanOrEqual(10_000 / 9 + 10)
    expect(await cache.remember('id-1', START, 'greedy')).toBe('seen')
  })

  test('that is refused has room again in the next generation', async () => {
    const cache = createReplayCache(64)
    const answers = []
    for (let i = 0; i < 40; i++) answers.push(await cache.remember(`id-${i}`, START, 'ada'))
    expect(answers.at(-1)).toBe('account_full')
    // A refused identifier is not remembered.
    expect(await cache.remember('id-39', START + WINDOW + 1000, 'ada')).toBe('new')
  })

  test('is refused if it has an eighth of what is free, and not before', async () => {
    const accounts = fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 90, maxLength: 90 })
    await fc.assert(
      fc.asyncProperty(accounts, async (list) => {
        const cache = createReplayCache(64)
        const counts = new Map<number, number>()
        let free = 64
        for (const [i, account] of list.entries()) {
          const before = counts.get(account) ?? 0
          const answer = await cache.remember(`id-${i}`, START, String(account))
          expect(answer).toBe(before * 8 < free ? 'new' : 'account_full')
          if (answer !== 'new') continue
          counts.set(account, before + 1)
          free -= 1
        }
      }),
    )
  })
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
        const answer = await cache.remember(String(id), now, 'ada')
        if (answer !== 'new') continue
        expect(now - (lastNew.get(id) ?? -Infinity)).toBeGreaterThan(WINDOW)
        lastNew.set(id, now)
      }
    }),
    { numRuns: 300 },
  )
})
