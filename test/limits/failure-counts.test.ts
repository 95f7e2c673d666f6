import { beforeEach, expect, test } from '@jest/globals'
import { FailureCounts } from '../../server/limits/failure-counts.ts'

const CAPACITY = 3
let counts: FailureCounts
beforeEach(() => {
  // Each failure costs a second.
  counts = new FailureCounts((failures) => failures * 1000, new Map(), CAPACITY)
})

/** A try that fails. */
function fail(key: string, now = 0): void {
  counts.reserve(key, now)
  counts.fail(key, now)
  counts.release(key)
}
const waits = (...keys: string[]) => keys.map((key) => counts.wait(key, 0))

test('remembers as many keys as its capacity', () => {
  for (const key of ['a', 'b', 'c']) fail(key)
  expect(waits('a', 'b', 'c')).toEqual([1000, 1000, 1000])
})

test('evicts the key whose last try is the oldest', () => {
  for (const key of ['a', 'b', 'c', 'a', 'd']) fail(key)
  expect(waits('a', 'b', 'c', 'd')).toEqual([2000, 0, 1000, 1000])
})

test('a key without failures takes no room', () => {
  for (const key of ['a', 'b', 'c']) fail(key)
  for (let i = 0; i < 10; i++) {
    counts.clear('a')
    counts.reserve('a', 0)
    counts.release('a')
  }
  fail('d')
  expect(waits('b', 'c', 'd')).toEqual([1000, 1000, 1000])
})

test('counts a failed try even if its key was evicted meanwhile', () => {
  counts.reserve('a', 0)
  for (const key of ['b', 'c', 'd']) fail(key)
  expect(waits('a')).toEqual([0])
  counts.fail('a', 0)
  counts.release('a')
  expect(waits('a')).toEqual([1000])
})

test('clearing or releasing an unknown key does nothing', () => {
  counts.clear('a')
  counts.release('a')
  counts.interrupt('a', 0)
  expect(waits('a')).toEqual([0])
})
