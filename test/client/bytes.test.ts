import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { concat, decodeBase64url, encodeBase64url, utf8 } from '../../client/bytes.ts'
import { SPELLINGS } from '../token/fixtures.ts'

test('base64url encodes and decodes as Node does', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (given) => {
      const text = encodeBase64url(given)
      expect(text).toBe(Buffer.from(given).toString('base64url'))
      expect(decodeBase64url(text)).toEqual(new Uint8Array(given))
    }),
  )
})

test('base64url encodes 200,000 bytes', () => {
  const long = new Uint8Array(200_000).fill(0xfb)
  expect(encodeBase64url(long)).toBe(Buffer.from(long).toString('base64url'))
})

test('base64url accepts only one spelling of any bytes', () => {
  const texts = fc.stringMatching(/^[\w\-+/=. \n\u00e9]{0,12}$/)
  fc.assert(
    fc.property(texts, (text) => {
      const decoded = decodeBase64url(text)
      if (decoded !== undefined) expect(encodeBase64url(decoded)).toBe(text)
      else expect(Buffer.from(text, 'base64url').toString('base64url')).not.toBe(text)
    }),
    { numRuns: 1000 },
  )
})

test.each(SPELLINGS)('base64url with %s is refused', (_name, respell) => {
  expect(decodeBase64url('VGV4dA')).toEqual(utf8('Text'))
  expect(decodeBase64url(respell('VGV4dA'))).toBeUndefined()
})

test.each(['A', 'AAAAA', '\n', 'AA\n', 'AB', '\u0100\u0100', 'AA=='])(
  'base64url refuses %j',
  (text) => {
    expect(decodeBase64url(text)).toBeUndefined()
  },
)

test('concat joins its parts in order', () => {
  expect(concat()).toEqual(new Uint8Array())
  expect(concat(utf8('a'), new Uint8Array(), utf8('bc'))).toEqual(utf8('abc'))
})
