import { expect, jest, test } from '@jest/globals'
import { decodeUtf8, parseObject } from '../../client/json.ts'

const bytes = (text: string) => new TextEncoder().encode(text)

test.each<[string | Uint8Array, unknown]>([
  ['{"a":1}', { a: 1 }],
  [bytes('{"a":"Zoë"}'), { a: 'Zoë' }],
  ['', undefined],
  ['{', undefined],
  ['[]', undefined],
  ['null', undefined],
  ['"text"', undefined],
  [bytes('\ufeff{}'), undefined],
  [Uint8Array.of(0x7b, 0xff, 0x7d), undefined],
])('parseObject(%j)', (source, object) => {
  expect(parseObject(source)).toEqual(object)
})

test('decodeUtf8 keeps a byte order mark and refuses invalid UTF-8', () => {
  expect(decodeUtf8(bytes('\ufeffZoë'))).toBe('\ufeffZoë')
  expect(decodeUtf8(Uint8Array.of(0xc3))).toBeUndefined()
})

test('a bug is thrown, not reported as bad input', () => {
  const parse = jest.spyOn(JSON, 'parse').mockImplementation(() => {
    throw new RangeError('Array buffer allocation failed')
  })
  expect(() => parseObject('{}')).toThrow(RangeError)
  parse.mockRestore()
})
