import { expect, test } from '@jest/globals'
import {
  clear,
  countAt,
  fail,
  interrupt,
  isUsed,
  release,
  reserve,
  waitOf,
} from '../../server/limits/failure-counts.ts'

const DAY = 86_400_000
/** Each failure costs a second. */
const waitAfter = (failures: number) => failures * 1000
const none = countAt(0)

test('a failure makes the next try wait', () => {
  expect(waitOf(none, waitAfter, 0)).toBe(0)
  const twice = fail(fail(none, 0), 500)
  expect([0, 500, 2499, 2500].map((now) => waitOf(twice, waitAfter, now))).toEqual([
    2500, 2000, 1, 0,
  ])
})

test('a try counts as a failure until it ends', () => {
  const begun = reserve(none, 0)
  expect(waitOf(begun, waitAfter, 0)).toBe(1000)
  expect(isUsed(begun)).toBe(true)
  expect(waitOf(release(begun), waitAfter, 0)).toBe(0)
  expect(isUsed(release(begun))).toBe(false)
})

test('clearing forgets failures, but no try that has begun', () => {
  expect(isUsed(clear(fail(none, 0)))).toBe(false)
  expect(waitOf(clear(reserve(fail(none, 0), 0)), waitAfter, 0)).toBe(1000)
})

test('an interruption clears failures that have caused no wait, and otherwise starts the wait again', () => {
  const free = (failures: number) => (failures < 2 ? 0 : 1000)
  const once = fail(none, 0)
  expect(interrupt(once, free, 500).failures).toBe(0)
  expect(waitOf(interrupt(fail(once, 0), free, 500), free, 500)).toBe(1000)
})

test('failures are forgotten after a day, and tries after a minute', () => {
  const count = reserve(fail(none, 0), 0)
  expect(countAt(59_999, count)).toEqual(count)
  expect(countAt(60_000, count)).toEqual({ ...count, reserved: 0 })
  expect(countAt(DAY - 1, reserve(count, DAY - 1)).failures).toBe(1)
  expect(countAt(DAY, reserve(fail(none, 0), DAY - 1))).toMatchObject({ failures: 0, reserved: 1 })
  // As if there had been none, so that a sweep does not take it for an old one.
  expect(countAt(DAY, fail(none, 0))).toEqual(countAt(DAY))
})

test('releasing, clearing or interrupting what was forgotten meanwhile leaves nothing', () => {
  for (const count of [release(none), clear(none), interrupt(none, waitAfter, 0)]) {
    expect(isUsed(count)).toBe(false)
  }
})
