import { afterEach, beforeEach, expect, jest, test } from '@jest/globals'
import { createLogger } from '../../server/log/logger.ts'
import { createRefusedTokens, type RefusedTokens } from '../../server/log/refused-tokens.ts'

interface Line {
  readonly level: string
  readonly count: number
  readonly reasons: Record<string, number>
  readonly msg: string
}

let lines: Line[]
let refused: RefusedTokens

beforeEach(() => {
  jest.useFakeTimers()
  lines = []
  const logger = createLogger('info', {
    write: (line) => void lines.push(JSON.parse(line) as Line),
  })
  refused = createRefusedTokens(logger)
})
afterEach(() => {
  refused.flush()
  jest.useRealTimers()
})

const counts = () => lines.map(({ count }) => count)

test('the first refusal is logged at once, with its reason', () => {
  refused.count('session')
  expect(lines).toEqual([
    {
      level: 'info',
      time: expect.any(String),
      count: 1,
      reasons: { session: 1 },
      msg: 'access tokens refused',
    },
  ])
})

test('further refusals are summed by reason, and logged after a second', () => {
  for (let i = 0; i < 1000; i++) refused.count(i % 4 === 0 ? 'exp' : 'session')
  jest.advanceTimersByTime(999)
  expect(counts()).toEqual([1])
  jest.advanceTimersByTime(1)
  expect(counts()).toEqual([1, 999])
  expect(lines[1]!.reasons).toEqual({ exp: 249, session: 750 })
})

test('logs at most one line per second, and loses no count', () => {
  for (let i = 0; i < 100; i++) {
    refused.count('session')
    jest.advanceTimersByTime(100)
  }
  expect(lines.length).toBeGreaterThan(5)
  expect(lines.length).toBeLessThanOrEqual(11)
  refused.flush()
  expect(counts().reduce((sum, count) => sum + count)).toBe(100)
})

test('a quiet second leaves no timer, and the next refusal is logged at once', () => {
  refused.count('session')
  jest.advanceTimersByTime(1000)
  expect(jest.getTimerCount()).toBe(0)
  expect(counts()).toEqual([1])
  refused.count('session')
  expect(counts()).toEqual([1, 1])
})

test('flush() logs the remaining refusals once', () => {
  for (let i = 0; i < 3; i++) refused.count('session')
  refused.flush()
  refused.flush()
  expect(counts()).toEqual([1, 2])
})
