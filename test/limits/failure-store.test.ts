import { beforeEach, expect, test } from '@jest/globals'
import { clear, fail, release, reserve, type Count } from '../../server/limits/failure-counts.ts'
import { failuresInMemory, type ChangeFailures } from '../../server/limits/failure-store.ts'

const CAPACITY = 3
let change: ChangeFailures
beforeEach(() => {
  change = failuresInMemory(CAPACITY)
})

const changeOne = (key: string, step: (count: Count) => Count) =>
  change(
    [key],
    () => 0,
    ([count]) => [step(count)],
  )
const failOnce = (key: string) => changeOne(key, (count) => fail(count, 0))

/** The failures of each key. Leaves the counts as they are. */
async function failuresOf(...keys: string[]): Promise<number[]> {
  let failures: number[] = []
  await change(
    keys,
    () => 0,
    (counts) => {
      failures = counts.map((count) => count.failures)
      return counts
    },
  )
  return failures
}

test('remembers as many keys as its capacity', async () => {
  for (const key of ['a', 'b', 'c']) await failOnce(key)
  expect(await failuresOf('a', 'b', 'c')).toEqual([1, 1, 1])
})

test('evicts the key whose last try is the oldest', async () => {
  for (const key of ['a', 'b', 'c', 'a', 'd']) await failOnce(key)
  expect(await failuresOf('a', 'b', 'c', 'd')).toEqual([2, 0, 1, 1])
})

test('a key without failures takes no room', async () => {
  for (const key of ['a', 'b', 'c']) await failOnce(key)
  await changeOne('a', clear)
  for (let i = 0; i < 10; i++) {
    await changeOne(`unused ${i}`, (count) => reserve(count, 0))
    await changeOne(`unused ${i}`, release)
  }
  await failOnce('b')
  expect(await failuresOf('a', 'b', 'c')).toEqual([0, 2, 1])
})

test('counts a failed try even if its key was evicted meanwhile', async () => {
  await changeOne('a', (count) => reserve(count, 0))
  for (const key of ['b', 'c', 'd']) await failOnce(key)
  await changeOne('a', (count) => release(fail(count, 0)))
  expect(await failuresOf('a')).toEqual([1])
})

test('changes nothing if the change throws', async () => {
  await failOnce('a')
  const broken = change(
    ['a', 'b'],
    () => 0,
    () => {
      throw new Error('broken')
    },
  )
  await expect(broken).rejects.toThrow('broken')
  expect(await failuresOf('a', 'b')).toEqual([1, 0])
})
