import { beforeAll, describe, expect, test } from '@jest/globals'
import { createPublicKey } from 'node:crypto'
import fc from 'fast-check'
import { decodeProtectedHeader } from 'jose'
import type { KeyPair } from '../../server/keystore/key-pair.ts'
import { decrypt } from '../../server/token/decrypt.ts'
import { seal as sealJwe } from '../../server/token/jwe/seal-jwe.ts'
import { anyText } from '../support/text.ts'
import { recipientOf, refusal, setUp } from './fixtures.ts'

let key: KeyPair
let other: KeyPair
beforeAll(async () => {
  key = (await setUp()).client
  other = (await setUp()).client
})

const seal = (text: string, cty?: string) => sealJwe(text, recipientOf(key), 'A128GCM', { cty })
const open = async (jwe: string, cty?: string) => decrypt(jwe, () => key, ['A128GCM'], { cty })

describe('decrypts to the same text:', () => {
  test.each([
    ['an empty text', ''],
    ['a word', 'secret'],
    ['other scripts', 'Gr\u00fc\u00dfe, \u043f\u0430\u0440\u043e\u043b\u044c, \u5bc6\u7801'],
    ['beyond the first plane', '\u{1f511}\u{10ffff}'],
    ['combining marks, not composed', 'e\u0301'],
    ['control characters', '\0\t\r\n\u007f'],
    ['5000 letters', 'x'.repeat(5000)],
    ['a byte order mark first', '\ufefftext'],
  ])('%s', async (_name, text) => {
    expect((await open(seal(text))).plaintext).toBe(text)
  })

  test('any characters', async () => {
    await fc.assert(
      fc.asyncProperty(anyText, async (text) => {
        expect((await open(seal(text))).plaintext).toBe(text)
      }),
      { numRuns: 300 },
    )
  })
})

test('the same text is never encrypted to the same token', () => {
  const tokens = Array.from({ length: 20 }, () => seal('text'))
  expect(new Set(tokens).size).toBe(20)
})

test.each([
  ['JWT', 'JWT'],
  ['json', 'json'],
  [undefined, undefined],
])('a content type %s is in the header as it was given', (cty, expected) => {
  const { cty: actual, kid } = decodeProtectedHeader(seal('text', cty))
  expect({ cty: actual, kid }).toEqual({ cty: expected, kid: key.kid })
})

test('encrypts with the algorithm of the recipient', async () => {
  const own = { ...recipientOf(key), alg: 'ECDH-ES+A256KW' } as const
  const jwe = sealJwe('text', own, 'A128GCM')
  expect(decodeProtectedHeader(jwe).alg).toBe('ECDH-ES+A256KW')
  const keys = () => ({ ...key, alg: own.alg })
  expect((await decrypt(jwe, keys, ['A128GCM'])).plaintext).toBe('text')
})

test('returns the header of the token', async () => {
  const jwe = seal('text', 'json')
  expect((await open(jwe, 'json')).header).toEqual(decodeProtectedHeader(jwe))
})

test.each([
  ['JWT', undefined],
  ['JWT', 'json'],
  [undefined, 'JWT'],
])('content of type %s is refused if %s is required', async (is, due) => {
  expect((await refusal(open(seal('text', is), due))).reason).toBe('cty')
})

test('a text for one key cannot be decrypted with another', async () => {
  const work = decrypt(seal('text'), () => other, ['A128GCM'])
  await expect(work).rejects.toMatchObject({ name: 'TokenError', reason: 'decryption' })
})

test('looks up the key by the kid of the header', async () => {
  const asked: (string | undefined)[] = []
  const keys = (kid: string | undefined) => void asked.push(kid)
  expect((await refusal(decrypt(seal('text'), keys, ['A128GCM']))).reason).toBe('jwe_kid')
  expect(asked).toEqual([key.kid])
})

test('an enc that is not on the list is refused', async () => {
  const work = decrypt(seal('text'), () => key, ['A256GCM', 'A128CBC-HS256'])
  expect((await refusal(work)).reason).toBe('jwe_enc')
})

test('a key is used only with its own algorithm', async () => {
  const keys = () => ({ ...key, alg: 'ECDH-ES+A256KW' })
  expect((await refusal(decrypt(seal('text'), keys, ['A128GCM']))).reason).toBe('jwe_alg')
})

test('does not encrypt to a key of a type that the algorithm cannot use', async () => {
  const key = recipientOf((await setUp()).keystore.signingKey)
  const recipient = { ...key, alg: 'RSA-OAEP-256' } as const
  expect(() => sealJwe('text', recipient, 'A128GCM')).toThrow('RSA-OAEP-256 cannot use the key')
})

test.each([0, 1])('does not encrypt to a point of low order (%i) on X25519', (u) => {
  const x = Buffer.alloc(32, 0).fill(u, 0, 1).toString('base64url')
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'X25519', x }, format: 'jwk' })
  const recipient = { kid: 'low order', publicKey: key, alg: 'ECDH-ES+A128KW' } as const
  expect(() => sealJwe('text', recipient, 'A128GCM')).toThrow()
})
