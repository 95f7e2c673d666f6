import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import {
  baseUrl,
  duration,
  flag,
  integer,
  oneOf,
  origins,
  rateLimit,
} from '../../server/config/parsers.ts'
import { anyText } from '../support/text.ts'

interface Parser {
  safeParse(text: string): { success: boolean; data?: unknown }
}

const accepts = (parser: Parser, text: string, value: unknown) => {
  expect(parser.safeParse(text)).toEqual({ success: true, data: value })
}

/** Refuses, with one message that completes the sentence "NAME …" and does not repeat the value. */
const refuses = (parser: Parser, text: string, message: RegExp) => {
  const result = parser.safeParse(text) as { error?: { issues: { message: string }[] } }
  expect(result.error?.issues).toEqual([
    expect.objectContaining({ message: expect.stringMatching(message) }),
  ])
}

describe('flag', () => {
  test.each(['1', 'true', 'yes', 'on', 'TRUE', 'Yes', 'oN'])('%j means yes', (text) => {
    accepts(flag, text, true)
  })
  test.each(['0', 'false', 'no', 'off', 'FALSE', 'No', 'oFF'])('%j means no', (text) => {
    accepts(flag, text, false)
  })
  test.each(['', ' ', '2', '01', '1 ', ' true', 'y', 'n', 't', 'tru', 'enabled', 'null', '真'])(
    '%j is refused',
    (text) => {
      refuses(flag, text, /^must be 1 or 0/)
    },
  )
})

describe('duration', () => {
  test.each([
    ['1s', 1],
    ['90s', 90],
    ['15m', 900],
    ['12h', 43_200],
    ['30d', 2_592_000],
    ['3650d', 315_360_000],
    ['315360000s', 315_360_000],
  ])('%s is %d seconds', (text, seconds) => {
    accepts(duration, text, seconds)
  })
  test.each([
    '',
    '0s',
    '0d',
    '15',
    'm',
    '15 m',
    ' 15m',
    '15m ',
    '15M',
    '15ms',
    '1w',
    '1y',
    '1h30m',
    '-1s',
    '+1s',
    '1.5h',
    '1e3s',
    '0x10s',
    '015m',
    '１５m',
    '15m\n',
    '3651d',
    '315360001s',
    '99999999999999999999d',
    'Infinitys',
    'NaNs',
  ])('%j is refused', (text) => {
    refuses(duration, text, /^must be a duration: .*s, m, h or d/)
  })
  test('is count times unit, for every count and unit of at most ten years', () => {
    const units = { s: 1, m: 60, h: 3600, d: 86_400 }
    fc.assert(
      fc.property(
        fc.constantFrom(...(Object.keys(units) as (keyof typeof units)[])).chain((unit) =>
          fc.record({
            unit: fc.constant(unit),
            count: fc.integer({ min: 1, max: (3650 * 86_400) / units[unit] }),
          }),
        ),
        ({ unit, count }) => {
          accepts(duration, `${count}${unit}`, count * units[unit])
        },
      ),
    )
  })
})

describe('integer', () => {
  const small = integer(8, 64)
  test.each([
    ['8', 8],
    ['64', 64],
  ])('%s is within its bounds', (text, value) => {
    accepts(small, text, value)
  })
  test.each(['', '7', '65', '-8', '8.0', '8e0', '0x8', ' 8', '8 ', '٨', 'NaN', '1'.repeat(400)])(
    '%j is refused',
    (text) => {
      refuses(small, text, /^must be a whole number from 8 to 64$/)
    },
  )
})

describe('oneOf', () => {
  const letter = oneOf(['alpha', 'beta'])
  test('accepts a word of the list', () => {
    accepts(letter, 'beta', 'beta')
  })
  test.each(['', 'gamma', 'Alpha', 'alpha ', 'toString', '__proto__'])('%j is refused', (text) => {
    refuses(letter, text, /^must be one of alpha, beta$/)
  })
})

describe('baseUrl', () => {
  test.each([
    'http://localhost:3000',
    'https://auth.example.com',
    'https://auth.example.com:8443',
    'https://example.com/auth',
    'https://example.com/a/b',
    'https://[::1]:3000',
    'http://127.0.0.1',
  ])('%s is accepted', (text) => {
    accepts(baseUrl, text, text)
  })
  test.each([
    '',
    'auth.example.com',
    '//auth.example.com',
    'localhost:3000',
    'https://',
    'https:',
    'ftp://example.com',
    'file:///etc',
    'javascript:alert(1)',
    'ws://example.com',
    'https://example.com/',
    'https://example.com/auth/',
    'https://example.com//',
    'https://example.com?a',
    'https://example.com/auth?a=1',
    'https://example.com/auth#a',
    'https://user@example.com',
    'https://u:p@example.com/a',
    'https://:p@example.com',
    'HTTPS://example.com',
    'https://Example.com',
    'https://example.com:443',
    'http://example.com:80',
    'https://example.com/a/../b',
    'https://exämple.com',
    ' https://example.com',
    'https://example.com ',
    'https://exa mple.com',
    'https:example.com',
    'https://example.com:99999',
    'https:\\\\example.com',
    'https://example.com/ä',
  ])('%j is refused', (text) => {
    refuses(baseUrl, text, /^must be an http or https URL/)
  })
  test.each([
    'https://example.com/auth?',
    'https://example.com/auth#',
    'https://example.com/auth?#',
  ])('%j is refused for its empty query or fragment', (text) => {
    refuses(baseUrl, text, /^must be an http or https URL/)
  })
})

describe('origins', () => {
  test.each([
    ['https://app.example.com', ['https://app.example.com']],
    [
      'https://a.example.com, http://localhost:5173 ,https://[::1]',
      ['https://a.example.com', 'http://localhost:5173', 'https://[::1]'],
    ],
  ])('%j is accepted', (text, list) => {
    accepts(origins, text, list)
  })
  test.each([
    '',
    ',',
    '*',
    'null',
    'https://a.example.com,',
    ',https://a.example.com',
    'https://a.example.com,,https://b.example.com',
    'https://a.example.com/',
    'a.example.com',
    'https://a.example.com/x',
    'https://A.example.com',
    'https://a.example.com:443',
    'https://*.example.com',
    'https://u@a.example.com',
    'ftp://a.example.com',
    'blob:https://a',
    'https://a.example.com https://b.example.com',
    'https://a.example.com?',
  ])('%j is refused', (text) => {
    refuses(origins, text, /^must be a comma-separated list of origins/)
  })
})

describe('rateLimit', () => {
  test.each([
    ['10/1m', { count: 10, duration: 60 }],
    ['1/1s', { count: 1, duration: 1 }],
    ['1000000/1d', { count: 1_000_000, duration: 86_400 }],
    ['5/24h', { count: 5, duration: 86_400 }],
    ['off', 'off'],
  ])('%s is accepted', (text, value) => {
    accepts(rateLimit, text, value)
  })
  test.each([
    '',
    '10',
    '/',
    '10/',
    '/1m',
    '10/1m/',
    '10/1m/1m',
    '10 / 1m',
    ' 10/1m',
    '10/1m ',
    '0/1m',
    '-1/1m',
    '1.5/1m',
    '1e3/1m',
    '1000001/1m',
    '10/0s',
    '10/2d',
    '10/86401s',
    '10/60',
    '10/1w',
    'Off',
    'OFF',
    'off/1m',
    'none',
    '0',
    'off ',
  ])('%j is refused', (text) => {
    refuses(rateLimit, text, /^must be off, or a count and a duration of at most 1d/)
  })
})

test('no parser throws for any text', () => {
  fc.assert(
    fc.property(anyText, (text) => {
      for (const parser of [
        flag,
        duration,
        integer(1, 2),
        oneOf(['a']),
        baseUrl,
        origins,
        rateLimit,
      ]) {
        parser.safeParse(text)
      }
    }),
  )
})
