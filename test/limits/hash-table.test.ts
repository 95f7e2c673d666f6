import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { createDigest, createHashTable } from '../../server/limits/hash-table.ts'

const digest = createDigest()

test('has what was added and nothing else, until it is cleared', () => {
  const table = createHashTable(1000)
  for (let n = 0; n < 1000; n++) {
    expect(table.has(digest(`text ${n}`))).toBe(false)
    table.add(digest(`text ${n}`))
  }
  for (let n = 0; n < 1000; n++) expect(table.has(digest(`text ${n}`))).toBe(true)
  for (let n = 1000; n < 2000; n++) expect(table.has(digest(`text ${n}`))).toBe(false)
  table.clear()
  for (let n = 0; n < 1000; n++) expect(table.has(digest(`text ${n}`))).toBe(false)
  // There is room for all of them again.
  for (let n = 0; n < 1000; n++) table.add(digest(`text ${n}`))
})

test('behaves like a Set', () => {
  const steps = fc.array(fc.oneof({ weight: 20, arbitrary: fc.nat(60) }, fc.constant('clear')))
  fc.assert(
    fc.property(steps, (list) => {
      const table = createHashTable(64)
      const set = new Set<string>()
      for (const step of list) {
        if (step === 'clear') {
          table.clear()
          set.clear()
          continue
        }
        const text = String(step)
        expect(table.has(digest(text))).toBe(set.has(text))
        if (!set.has(text)) table.add(digest(text))
        set.add(text)
      }
    }),
  )
})

test('throws when it is full', () => {
  const table = createHashTable(1)
  table.add(digest('a'))
  expect(() => {
    table.add(digest('b'))
  }).toThrow(RangeError)
  expect([table.has(digest('a')), table.has(digest('b'))]).toEqual([true, false])
})
