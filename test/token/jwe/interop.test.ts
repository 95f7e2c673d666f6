import { describe, expect, test } from '@jest/globals'
import { createPrivateKey } from 'node:crypto'
import { CompactEncrypt } from 'jose'
import { open } from '../../../server/token/jwe/open-jwe.ts'
import { agreeOn, seal } from '../../../server/token/jwe/seal-jwe.ts'
import { parseCompact } from '../../../server/token/compact.ts'
import { COMBINATIONS, joseOpen, keyFor, textOf, type TestKey } from './fixtures.ts'
import { COOKBOOK_4, COOKBOOK_5, FRODO } from './vectors.ts'

const TEXTS = ['', `Gr\u00fc\u00dfe \u{1f511} ${'x'.repeat(3000)}`]

const joseSeal = (
  text: string,
  { alg, publicKey }: TestKey,
  enc: string,
  party: { apu?: Uint8Array; apv?: Uint8Array } = {},
) =>
  new CompactEncrypt(new TextEncoder().encode(text))
    .setProtectedHeader({ alg, enc })
    .setKeyManagementParameters(party)
    .encrypt(publicKey)

test('there are 52 combinations', () => {
  expect(COMBINATIONS).toHaveLength((3 * 4 + 1) * 4)
})

describe.each(COMBINATIONS)('%s, %s, %s', (alg, crv, enc) => {
  const key = keyFor(alg, crv)

  test('jose opens what this module seals', async () => {
    for (const text of TEXTS) expect(await joseOpen(seal(text, key, enc), key)).toBe(text)
  })

  test('this module opens what jose seals', async () => {
    for (const text of TEXTS) expect(textOf(await joseSeal(text, key, enc), key)).toBe(text)
  })

  test('this module opens what it seals itself, with an agreement if the algorithm has one', () => {
    const agreement = agreeOn(key)
    expect(textOf(seal('text', key, enc, { agreement }), key)).toBe('text')
  })
})

test.each([
  ['apu', { apu: Buffer.from('Alice') }],
  ['apv', { apv: Buffer.from('Bob') }],
  ['both', { apu: Buffer.from('Alice'), apv: Buffer.from('Bob') }],
])('opens what jose seals with party information (%s)', async (_name, party) => {
  for (const alg of ['ECDH-ES', 'ECDH-ES+A256KW'] as const) {
    const key = keyFor(alg, 'P-256')
    expect(textOf(await joseSeal('text', key, 'A256GCM', party), key)).toBe('text')
  }
})

test.each([
  ['RFC 7520 §5.4', COOKBOOK_4],
  ['RFC 7520 §5.5', COOKBOOK_5],
])('opens the token of %s', (_name, { alg, enc, key, jwe }) => {
  const privateKey = createPrivateKey({ key, format: 'jwk' })
  const { plaintext } = open(parseCompact(jwe, 5), { kid: key.kid, alg, privateKey }, enc)
  expect(plaintext.toString()).toBe(FRODO)
})

test('jose opens 20 tokens for a key on P-521, whose coordinates often begin with zeros', async () => {
  const key = keyFor('ECDH-ES+A128KW', 'P-521')
  for (let n = 0; n < 20; n++) {
    expect(await joseOpen(seal('text', key, 'A128GCM'), key)).toBe('text')
  }
})
