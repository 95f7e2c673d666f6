import { describe, expect, test } from '@jest/globals'
import { createPrivateKey, randomBytes } from 'node:crypto'
import { sharedSecret } from '../../../server/token/jwe/ephemeral-key.ts'
import { deriveKey, parsePartyInfo } from '../../../server/token/jwe/key-derivation.ts'
import { concatKdf } from '../../support/foreign-jose.ts'
import { reasonOf } from './fixtures.ts'
import { APPENDIX_C } from './vectors.ts'

const { alice, bob, key } = APPENDIX_C
test.each([
  ["Alice's ephemeral and Bob's static", alice, bob],
  ["Bob's static and Alice's ephemeral", bob, alice],
] as const)(
  'derives the key of RFC 7518, Appendix C, from %s key',
  (_name, mine, { kty, crv, x, y }) => {
    const privateKey = createPrivateKey({ key: mine, format: 'jwk' })
    const party = parsePartyInfo({ apu: 'QWxpY2U', apv: 'Qm9i' })
    const secret = sharedSecret(privateKey, { kty, crv, x, y })
    expect(deriveKey(secret, { algorithm: 'A128GCM', length: 16, ...party })).toEqual(key)
  },
)

test.each([16, 32, 64])('derives the same %i bytes as another implementation', (length) => {
  const secret = randomBytes(66)
  const [apu, apv] = [Buffer.from('Alice'), Buffer.alloc(0)]
  expect(deriveKey(secret, { algorithm: 'A256CBC-HS512', length, apu, apv })).toEqual(
    concatKdf(secret, 'A256CBC-HS512', length * 8, apu, apv),
  )
})

test('the derived key depends on every input', () => {
  const secret = Buffer.alloc(32)
  const use = { algorithm: 'A128GCM', length: 16 }
  const [apu, apv] = [Buffer.from('ab'), Buffer.from('c')]
  const derived = [
    deriveKey(secret, use),
    deriveKey(Buffer.alloc(32, 1), use),
    deriveKey(Buffer.alloc(33), use),
    deriveKey(secret, { ...use, algorithm: 'A128GCN' }),
    // The length is an input, too, and does not only cut off the key.
    deriveKey(secret, { ...use, length: 32 }).subarray(0, 16),
    deriveKey(secret, { ...use, apu }),
    deriveKey(secret, { ...use, apv }),
    deriveKey(secret, { ...use, apu, apv }),
    deriveKey(secret, { ...use, apu: apv, apv: apu }),
    deriveKey(secret, { ...use, apu: Buffer.from('a'), apv: Buffer.from('bc') }),
  ]
  expect(new Set(derived.map((bytes) => bytes.toString('hex'))).size).toBe(derived.length)
})

describe('party information', () => {
  test('is optional, and may be empty', () => {
    expect(parsePartyInfo({})).toEqual({ apu: undefined, apv: undefined })
    expect(parsePartyInfo({ apu: '' })).toEqual({ apu: Buffer.alloc(0), apv: undefined })
  })

  test.each<[string, Record<string, unknown>]>([
    ['apu a number', { apu: 1 }],
    ['apv a list', { apv: ['QQ'] }],
    ['apu null', { apu: null }],
    ['padding', { apu: 'QQ==' }],
    ['a stray bit', { apv: 'QR' }],
    ['a space', { apu: 'Q Q' }],
    ['plain base64', { apv: '+w' }],
    ['two that are equal', { apu: 'QQ', apv: 'QQ' }],
    ['two that are empty', { apu: '', apv: '' }],
  ])('%s is refused', (_name, header) => {
    expect(reasonOf(() => parsePartyInfo(header))).toBe('jwe_header')
  })
})
