import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { createFrequentKeys } from '../../server/limits/frequent-keys.ts'

test('a few keys are counted exactly', () => {
  const keys = createFrequentKeys(3)
  for (const key of 'abcabcab') keys.add(key)
  expect(['a', 'b', 'c', 'd'].map((key) => keys.count(key))).toEqual([3, 3, 2, 0])
})

test('of many keys, no count is too high, and none is too low by more than its bound', () => {
  const added = fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 200 })
  fc.assert(
    fc.property(added, fc.integer({ min: 1, max: 8 }), (list, size) => {
      const keys = createFrequentKeys(size)
      for (const key of list) keys.add(String(key))
      for (let key = 0; key < 10; key++) {
        const actual = list.filter((each) => each === key).length
        expect(keys.count(String(key))).toBeLessThanOrEqual(actual)
        expect(keys.count(String(key))).toBeGreaterThanOrEqual(actual - list.length / (size + 1))
      }
    }),
  )
})

test('keeps no more keys than its size', () => {
  const keys = createFrequentKeys(3)
  for (let i = 0; i < 1000; i++) keys.add(`key-${i}`)
  const kept = Array.from({ length: 1000 }, (_, i) => keys.count(`key-${i}`)).filter((n) => n > 0)
  expect(kept.length).toBeLessThanOrEqual(3)
})
