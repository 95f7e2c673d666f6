import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { hasRepeatedMembers } from '../../server/http/repeated-members.ts'

const isRepeated = (json: string) => hasRepeatedMembers(json, JSON.parse(json))

test.each([
  '{"a":1,"a":1}',
  '{"a":1,"b":2,"a":null}',
  '{"a":1,"\\u0061":2}',
  '{"":0,"":0}',
  '{"__proto__":1,"__proto__":2}',
  '{"1":0,"1":0}',
  '{"a":{"b":1,"b":2}}',
  '[{"a":[{"b":1,"b":2}]}]',
  // The member that JSON.parse drops holds the repeated ones.
  '{"a":{"b":1,"b":2},"a":0}',
  // The member that JSON.parse keeps has as many members as the one it drops.
  '{"a":{"b":1},"a":{"b":1}}',
  '{"a:":1,"a:":2}',
  '{"\\"":1,"\\"":2}',
  '{"\\\\":1,"\\\\":2}',
  '{"toString":1,"toString":2}',
])('finds the repeated member in %s', (json) => {
  expect(isRepeated(json)).toBe(true)
})

test.each([
  '{}',
  '[]',
  'null',
  '":"',
  '{"a":1,"A":1}',
  '{"a":{"a":{"a":[]}}}',
  '[{"a":1},{"a":1}]',
  '{"a":":","b":"\\":","c":"\\\\"}',
  '{"a":"\\\\\\":","b" : ":{\\"a\\":1,\\"a\\":1}"}',
  '{"__proto__":{"a":1},"constructor":1}',
  '{"é":1,"e\u0301":1}',
])('finds no repeated member in %s', (json) => {
  expect(isRepeated(json)).toBe(false)
})

test('the deepest nesting that a body can hold does not overflow the stack', () => {
  const depth = 10_000
  expect(isRepeated('{"a":'.repeat(depth) + '1' + '}'.repeat(depth))).toBe(false)
  expect(isRepeated('['.repeat(depth) + '{"a":1,"a":1}' + ']'.repeat(depth))).toBe(true)
})

test('finds none in the output of JSON.stringify, and one after a member is added again', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue(), { minKeys: 1 }), (object) => {
      const json = JSON.stringify(object)
      expect(isRepeated(json)).toBe(false)
      const [first] = Object.entries(JSON.parse(json) as object)
      const again = `${JSON.stringify(first![0])}:${JSON.stringify(first![1])}`
      expect(isRepeated(`[1,${json.slice(0, -1)},${again}}]`)).toBe(true)
    }),
  )
})
