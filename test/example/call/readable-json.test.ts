import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { printable, readableJson } from '../../../example/call/readable-json.ts'
import { createPaint } from '../../../example/terminal.ts'
import { createOutput, plain } from './fixtures.ts'

const inColour = createPaint(createOutput(true))
const without = createPaint(createOutput(false))

test('names, strings, numbers and literals each have a colour', () => {
  const value = { a: 'b: "c"', d: [-1.5e-7, true, null], e: {} }
  const coloured = readableJson(value, inColour)
  expect(plain(coloured)).toBe(JSON.stringify(value, null, 2))
  const parts = ['36m"a"', '32m"b: \\"c\\""', '36m"d"', '33m-1.5e-7', '35mtrue', '35mnull']
  for (const part of parts) expect(coloured).toContain(`\u001b[${part}\u001b[39m`)
})

test('is the same JSON with and without colours', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const coloured = readableJson(value, inColour)
      expect(plain(coloured)).toBe(readableJson(value, without))
      // JSON has no -0.
      expect(JSON.parse(plain(coloured))).toEqual(JSON.parse(JSON.stringify(value)))
    }),
  )
})

test('control codes and changes of direction are escaped', () => {
  const hostile = '\u001b]0;title\u0007 \u009b2J \u202etxt\u061c\u2066 \r\u007f'
  const safe = String.raw`\u001b]0;title\u0007 \u009b2J \u202etxt\u061c\u2066 \u000d\u007f`
  expect(printable(hostile)).toBe(safe)
  expect(printable('Grüße, 世界 👋\n\tnext')).toBe('Grüße, 世界 👋\n\tnext')
  const json = readableJson({ [hostile]: hostile }, without)
  expect(json).toMatch(/^[\n\x20-\x7e]*$/)
  expect(JSON.parse(json)).toEqual({ [hostile]: hostile })
})
