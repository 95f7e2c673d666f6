import { beforeAll, describe, expect, test } from '@jest/globals'
import { CompactEncrypt } from 'jose'
import type { ClientKey } from '../../../../client/keys/client-key.ts'
import { pickPublic } from '../../../../client/keys/public-jwk.ts'
import { seal } from '../../../../server/token/jwe/seal-jwe.ts'
import {
  COMBINATIONS,
  joseOpen,
  keyFor,
  textOf,
  type TestKey,
} from '../../../token/jwe/fixtures.ts'
import { COOKBOOK_4, COOKBOOK_5, FRODO } from '../../../token/jwe/vectors.ts'
import { clientKeyFor, importPrivate, openText, recipientOf, sealTo } from './fixtures.ts'

const TEXTS = ['', `Gr\u00fc\u00dfe \u{1f511} ${'x'.repeat(3000)}`]

const joseSeal = (text: string, { alg, publicKey }: TestKey, enc: string, party = {}) =>
  new CompactEncrypt(new TextEncoder().encode(text))
    .setProtectedHeader({ alg, enc })
    .setKeyManagementParameters(party)
    .encrypt(publicKey)

describe.each(COMBINATIONS)('%s, %s, %s', (alg, crv, enc) => {
  const key = keyFor(alg, crv)
  let own: ClientKey
  beforeAll(async () => {
    own = await clientKeyFor(alg, crv)
  })

  test('jose and the server open what the client seals', async () => {
    for (const text of TEXTS) {
      const jwe = await sealTo(recipientOf(key), enc, text)
      expect(await joseOpen(jwe, key)).toBe(text)
      expect(textOf(jwe, key)).toBe(text)
    }
  })

  test('the client opens what jose and the server seal', async () => {
    for (const text of TEXTS) {
      expect(await openText(await joseSeal(text, key, enc), own, alg)).toBe(text)
      expect(await openText(seal(text, key, enc), own, alg)).toBe(text)
    }
  })
})

test.each([
  ['apu', { apu: Buffer.from('Alice') }],
  ['apv', { apv: Buffer.from('Bob') }],
  ['both', { apu: Buffer.from('Alice'), apv: Buffer.from('Bob') }],
])("the client opens a token of jose's with party information (%s)", async (_name, party) => {
  for (const alg of ['ECDH-ES', 'ECDH-ES+A256KW'] as const) {
    const jwe = await joseSeal('text', keyFor(alg, 'P-256'), 'A256GCM', party)
    expect(await openText(jwe, await clientKeyFor(alg, 'P-256'), alg)).toBe('text')
  }
})

test.each([
  ['RFC 7520 §5.4', COOKBOOK_4, 'P-384'],
  ['RFC 7520 §5.5', COOKBOOK_5, 'P-256'],
] as const)('the client opens the example of %s', async (_name, { alg, key: jwk, jwe }, crv) => {
  const privateKey = await importPrivate(jwk, crv)
  const key = { id: jwk.kid, publicJwk: pickPublic(jwk), privateKey }
  expect(await openText(jwe, key, alg)).toBe(FRODO)
})

test('20 tokens each way agree with jose on P-521, where coordinates often begin with zeros', async () => {
  const key = keyFor('ECDH-ES+A128KW', 'P-521')
  const own = await clientKeyFor('ECDH-ES+A128KW', 'P-521')
  for (let n = 0; n < 20; n++) {
    expect(await joseOpen(await sealTo(recipientOf(key), 'A128GCM', 'text'), key)).toBe('text')
    expect(await openText(await joseSeal('text', key, 'A128GCM'), own, 'ECDH-ES+A128KW')).toBe(
      'text',
    )
  }
})
