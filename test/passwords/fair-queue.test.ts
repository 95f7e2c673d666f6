import { expect, jest, test } from '@jest/globals'
import { createFairQueue, type Requester } from '../../server/passwords/fair-queue.ts'

const VICTIM = { account: 'ada@mail.test' }

/** A queue whose jobs finish when the test says so. */
function setUp(atOnce: number, capacity: number) {
  const queue = createFairQueue(atOnce, capacity)
  const refused: string[] = []
  const running: { name: string; finish: () => void }[] = []
  return {
    refused,
    running: () => running.map(({ name }) => name),
    /** Queues a job for the requester; `name` identifies it. */
    ask: (requester: Requester, name = Object.values(requester).join()) => {
      const work = () =>
        new Promise<void>((resolve) => {
          running.push({ name, finish: resolve })
        })
      queue.run(requester, work).catch((error: unknown) => {
        expect(error).toMatchObject({ name: 'UnavailableError', retryAfter: 1 })
        refused.push(name)
      })
    },
    /** Finishes the job that has run the longest; returns the jobs that run then. */
    finish: async () => {
      running.shift()?.finish()
      await new Promise((resolve) => setImmediate(resolve))
      return running.map(({ name }) => name)
    },
  }
}

test('runs the given number of jobs at once and returns their results', async () => {
  const { ask, running, finish } = setUp(2, 8)
  for (const name of ['a', 'b', 'c', 'd']) ask({ address: 'x' }, name)
  expect(running()).toEqual(['a', 'b'])
  expect(await finish()).toEqual(['b', 'c'])
  expect(await finish()).toEqual(['c', 'd'])
  const queue = createFairQueue(1, 1)
  const work = [VICTIM, VICTIM, { address: 'x' }].map((by) =>
    queue.run(by, () => Promise.resolve()),
  )
  expect(queue.waiting).toBe(2)
  await Promise.all(work)
  expect(queue.waiting).toBe(0)
  expect(await queue.run(VICTIM, () => Promise.resolve(7))).toBe(7)
  const failure = new Error('argon2 has failed')
  await expect(queue.run(VICTIM, () => Promise.reject(failure))).rejects.toBe(failure)
  expect(await queue.run(VICTIM, () => Promise.resolve(8))).toBe(8)
})

test.each<[string, (i: number) => Requester]>([
  ['an account with any number of clients', () => ({ account: 'mallory@mail.test' })],
  ['forty accounts of one person', (i) => ({ account: `mallory-${i % 40}@mail.test` })],
  ['an address', () => ({ address: '192.0.2.66' })],
  ['any number of addresses', (i) => ({ address: `host ${i}` })],
])('%s cannot keep out the owner of another account', async (_, attacker) => {
  const { ask, finish, refused, running } = setUp(1, 32)
  for (let i = 0; i < 1000; i++) {
    ask(attacker(i), 'attack')
    if (i > 100) await finish()
  }
  refused.length = 0
  for (let tries = 0; tries < 10; tries++) {
    ask(VICTIM)
    for (let i = 0; i < 100; i++) ask(attacker(i), 'attack')
    // At most the running job and one of the other lane come first.
    let steps = 0
    while (!running().includes('ada@mail.test')) {
      await finish()
      steps += 1
    }
    expect(steps).toBeLessThanOrEqual(2)
    await finish()
  }
  expect(new Set(refused)).toEqual(new Set(['attack']))
})

test('one address cannot keep out strangers at other addresses', async () => {
  const { ask, finish, refused } = setUp(1, 4)
  for (let i = 0; i < 100; i++) {
    ask({ account: `account ${i}` }, 'attack')
    ask({ address: 'attacker' }, 'attack')
  }
  refused.length = 0
  for (const address of ['one', 'two', 'three']) ask({ address })
  const order: string[] = []
  for (let i = 0; i < 8; i++) order.push(...(await finish()))
  expect(order.filter((name) => name !== 'attack')).toEqual(['one', 'two', 'three'])
  expect(new Set(refused)).toEqual(new Set(['attack']))
})

test('serves equal requesters in order of arrival, and refuses the last if the queue is full', async () => {
  const { ask, finish, refused, running } = setUp(1, 2)
  for (const address of ['a', 'b', 'c', 'd']) ask({ address })
  const order = running()
  for (let i = 0; i < 2; i++) order.push(...(await finish()))
  expect([order, refused]).toEqual([['a', 'b', 'c'], ['d']])
  // A refused job does not count as done.
  ask({ address: 'e' }, 'running')
  await finish()
  ask({ address: 'c' })
  ask({ address: 'd' })
  expect(await finish()).toEqual(['d'])
})

test('keeps nothing of requesters whose work was refused', () => {
  const spy = jest.spyOn(Map.prototype, 'set')
  const { ask } = setUp(1, 8)
  for (let i = 0; i < 100; i++) ask({ address: `host ${i}` })
  const maps = spy.mock.contexts as Map<string, number>[]
  spy.mockRestore()
  expect(Math.max(...maps.map(({ size }) => size))).toBe(9)
})

test('does not hold work of long ago against a requester', async () => {
  const queue = createFairQueue(1, 3)
  const nothing = () => Promise.resolve()
  for (let i = 0; i < 40; i++) await queue.run({ address: 'once busy' }, nothing)
  for (let i = 0; i < 8 * 4096; i++) await queue.run({ address: `host ${i}` }, nothing)
  const order: string[] = []
  const ask = (address: string) =>
    queue.run({ address }, () => Promise.resolve(order.push(address)))
  await Promise.all([ask('x'), ask('once busy'), ask('new')])
  expect(order).toEqual(['x', 'once busy', 'new'])
})
