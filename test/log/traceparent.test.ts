import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { parseTraceparent } from '../../server/log/traceparent.ts'

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const PARENT = '00f067aa0ba902b7'
const IDS = { trace_id: TRACE, parent_id: PARENT }

test.each([
  `00-${TRACE}-${PARENT}-01`,
  `00-${TRACE}-${PARENT}-00`,
  // A version that does not exist yet, with and without something more (§4.1).
  `cc-${TRACE}-${PARENT}-01`,
  `cc-${TRACE}-${PARENT}-01-what-the-future-will-be-like`,
  `01-${TRACE}-${PARENT}-09-`,
])('reads the ids of %s', (header) => {
  expect(parseTraceparent(header)).toEqual(IDS)
})

test.each([
  ['an empty header', ''],
  ['a trace id of zeros', `00-${'0'.repeat(32)}-${PARENT}-01`],
  ['a parent id of zeros', `00-${TRACE}-${'0'.repeat(16)}-01`],
  ['the invalid version ff', `ff-${TRACE}-${PARENT}-01`],
  ['more parts than version 00 has', `00-${TRACE}-${PARENT}-01-`],
  ['more text without a dash', `cc-${TRACE}-${PARENT}-01.what`],
  ['upper case', `00-${TRACE.toUpperCase()}-${PARENT}-01`],
  ['a short trace id', `00-${TRACE.slice(1)}-${PARENT}-01`],
  ['a long trace id', `00-${TRACE}0-${PARENT}-01`],
  ['no flags', `00-${TRACE}-${PARENT}`],
  ['one digit of flags', `00-${TRACE}-${PARENT}-1`],
  ['a space before', ` 00-${TRACE}-${PARENT}-01`],
  ['a line break after', `00-${TRACE}-${PARENT}-01\n`],
  ['two values', `00-${TRACE}-${PARENT}-01, 00-${TRACE}-${PARENT}-01`],
  ['two values of a later version', `01-${TRACE}-${PARENT}-01-x, 01-${TRACE}-${PARENT}-01-x`],
  ['a long text', '0'.repeat(65_536)],
])('ignores a malformed header: %s', (_, header) => {
  expect(parseTraceparent(header)).toBeUndefined()
})

test('returns nothing but hexadecimal ids, whatever is sent', () => {
  const hex = (digits: number) =>
    fc.string({ unit: fc.constantFrom('0', '1', 'a', 'f'), minLength: digits, maxLength: digits })
  const headers = fc.oneof(
    fc.string(),
    fc.tuple(hex(2), hex(32), hex(16), hex(2)).map((parts) => parts.join('-')),
    fc.tuple(fc.constantFrom(`00-${TRACE}`, 'cc'), fc.string()).map((parts) => parts.join('-')),
  )
  fc.assert(
    fc.property(headers, (header) => {
      const ids = parseTraceparent(header)
      if (ids === undefined) return
      expect(ids.trace_id).toMatch(/^[\da-f]{32}$/)
      expect(ids.parent_id).toMatch(/^[\da-f]{16}$/)
      expect(Object.keys(ids)).toEqual(['trace_id', 'parent_id'])
    }),
  )
})
