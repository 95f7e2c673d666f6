import { describe, expect, test } from '@jest/globals'
import { randomBytes } from 'node:crypto'
import { toWrappingKey, unwrapKey, wrapKey } from '../../../server/token/jwe/key-wrap.ts'
import { KEY_WRAP_VECTORS } from './vectors.ts'

describe.each(KEY_WRAP_VECTORS)('$name', ({ kek, key, wrapped }) => {
  test('wraps to the same bytes', () => {
    expect(wrapKey(toWrappingKey(kek), key)).toEqual(wrapped)
  })

  test('unwraps to the same bytes', () => {
    expect(unwrapKey(toWrappingKey(kek), wrapped)).toEqual(key)
  })

  test('every changed bit is refused', () => {
    for (let bit = 0; bit < wrapped.length * 8; bit++) {
      const changed = Buffer.from(wrapped)
      changed[bit >> 3]! ^= 1 << (bit & 7)
      expect(unwrapKey(toWrappingKey(kek), changed)).toBeUndefined()
    }
  })

  test('another key unwraps nothing', () => {
    expect(unwrapKey(toWrappingKey(randomBytes(kek.length)), wrapped)).toBeUndefined()
  })
})

test.each([0, 1, 7, 8, 15, 16, 17, 23, 25, 31, 32, 6000])(
  '%i random bytes unwrap to nothing',
  (length) => {
    expect(unwrapKey(toWrappingKey(randomBytes(16)), randomBytes(length))).toBeUndefined()
  },
)
