import { describe, expect, test } from '@jest/globals'
import { MAX_TOKEN_LENGTH } from '../../protocol/limits.ts'
import { parseCompact, parseObject } from '../../server/token/compact.ts'
import { base64url, refusal, REFUSED_PARAMETERS, SPELLINGS, withStrayBit } from './fixtures.ts'

const HEADER = base64url('{"a":1}')
// Wrapped in a promise, which `refusal` expects.
const reasonOf = async (token: string, parts: 3 | 5) => {
  const { code, reason } = await refusal(Promise.resolve().then(() => parseCompact(token, parts)))
  expect(code).toBe('token_invalid')
  return reason
}

test.each([
  [`${HEADER}..`, 3],
  [`${HEADER}....`, 5],
  [`${HEADER}.AA.AAA.AAAA.-_-_`, 5],
] as const)('splits %s into a header and parts, %i in all', (token, parts) => {
  const { head, header, parts: rest } = parseCompact(token, parts)
  expect([head, header]).toEqual([HEADER, { a: 1 }])
  expect(rest.map((part) => part.toString('base64url'))).toEqual(token.split('.').slice(1))
})

test.each([
  [HEADER, 3],
  [`${HEADER}.`, 3],
  [`${HEADER}...`, 3],
  [`${HEADER}..`, 5],
  [`${HEADER}.....`, 5],
  ['', 3],
] as const)('%j does not have %i parts', async (token, parts) => {
  expect(await reasonOf(token, parts)).toBe('segments')
})

test('8 KiB is not too long, and one byte more is', async () => {
  const longest = `${HEADER}.`.padEnd(MAX_TOKEN_LENGTH - 1, 'A')
  expect(MAX_TOKEN_LENGTH).toBe(8192)
  expect(await reasonOf(longest + 'A', 3)).toBe('segments')
  expect(await reasonOf(longest + 'AA', 3)).toBe('too_long')
})

describe('a part has one spelling', () => {
  test.each(SPELLINGS)('%s is refused', async (_name, respell) => {
    expect(await reasonOf(`${respell(HEADER)}.AAAA.AAAA`, 3)).toBe('base64url')
    expect(await reasonOf(`${HEADER}.${respell('AAAA')}.AAAA`, 3)).toBe('base64url')
    expect(await reasonOf(`${HEADER}.AAAA.${respell('AAAA')}`, 3)).toBe('base64url')
  })

  test.each([
    ['two letters', 'AA'],
    ['three letters', 'AAA'],
    ['a header', HEADER],
  ])('stray bits after %s are refused', async (_name, part) => {
    expect(await reasonOf(`${HEADER}.${withStrayBit(part)}.`, 3)).toBe('base64url')
  })

  test.each(['A', 'AAAAA', 'AA+A', 'AA/A'])('%s is refused', async (part) => {
    expect(await reasonOf(`${HEADER}.${part}.`, 3)).toBe('base64url')
  })
})

test.each(REFUSED_PARAMETERS)('a header with %s is refused, whatever its value', async (name) => {
  for (const value of [null, '', 'x', 0, [], {}]) {
    const header = base64url(JSON.stringify({ alg: 'x', [name]: value }))
    expect(await reasonOf(`${header}..`, 3)).toBe('header_parameter')
  }
})

test.each(['{}', '{"a":[]}', ' {"a":1} '])('parses %s as an object', (text) => {
  expect(parseObject(Buffer.from(text))).toEqual(JSON.parse(text))
})

test.each<[string, Buffer]>([
  ['an empty text', Buffer.from('')],
  ['a list', Buffer.from('[]')],
  ['null', Buffer.from('null')],
  ['a string', Buffer.from('"text"')],
  ['a number', Buffer.from('1')],
  ['half an object', Buffer.from('{"a":')],
  ['two objects', Buffer.from('{}{}')],
  ['Latin-1', Buffer.from('{"a":"\u00e9"}', 'latin1')],
  ['UTF-16', Buffer.from('{}', 'utf16le')],
])('%s is not an object', (_name, bytes) => {
  expect(parseObject(bytes)).toBeUndefined()
})
