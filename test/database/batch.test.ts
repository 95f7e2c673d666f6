import { expect, test } from '@jest/globals'
import { setImmediate } from 'node:timers/promises'
import { inOneBatch } from '../../server/database/batch.ts'

/** A batched function whose batches are answered when the test says so. */
function controlled() {
  const batches: { items: readonly number[]; answer: () => void; fail: (error: Error) => void }[] =
    []
  const ask = inOneBatch(
    (items: readonly number[]) =>
      new Promise<number[]>((resolve, reject) => {
        const answer = () => {
          resolve(items.map((item) => item * 10))
        }
        batches.push({ items, answer, fail: reject })
      }),
  )
  return { ask, batches, sizes: () => batches.map(({ items }) => items.length) }
}

test('calls of one turn share a batch, and each gets its own result', async () => {
  const { ask, batches } = controlled()
  const results = Promise.all([ask(1), Promise.resolve().then(() => ask(2)), ask(3)])
  await setImmediate()
  expect(batches.map(({ items }) => items)).toEqual([[1, 3, 2]])
  batches[0]!.answer()
  expect(await results).toEqual([10, 20, 30])
})

test('runs two batches at once, and collects the calls that arrive meanwhile in the next', async () => {
  const { ask, batches, sizes } = controlled()
  const results = []
  for (let item = 0; item < 5; item++) {
    results.push(ask(item))
    await setImmediate()
  }
  await setImmediate()
  expect(sizes()).toEqual([1, 1])
  batches[0]!.answer()
  await setImmediate()
  await setImmediate()
  expect(sizes()).toEqual([1, 1, 3])
  batches[1]!.answer()
  batches[2]!.answer()
  expect(await Promise.all(results)).toEqual([0, 10, 20, 30, 40])
})

test('a batch has at most 1000 items', async () => {
  const { ask, batches, sizes } = controlled()
  const results = Promise.all(Array.from({ length: 1500 }, (_, item) => ask(item)))
  await setImmediate()
  await setImmediate()
  expect(sizes()).toEqual([1000, 500])
  for (const { answer } of batches) answer()
  expect((await results).at(-1)).toBe(14_990)
})

test('a failed batch rejects all of its calls, and no others', async () => {
  const { ask, batches } = controlled()
  const results = Promise.allSettled([ask(1), ask(2)])
  await setImmediate()
  const later = ask(3)
  await setImmediate()
  const failure = new Error('away')
  batches[0]!.fail(failure)
  batches[1]!.answer()
  expect(await results).toEqual([
    { status: 'rejected', reason: failure },
    { status: 'rejected', reason: failure },
  ])
  expect(await later).toBe(30)
})
