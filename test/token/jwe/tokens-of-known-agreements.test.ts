import { beforeEach, expect, test } from '@jest/globals'
import { createSecretKey, randomBytes } from 'node:crypto'
import {
  createKnownAgreements,
  type KnownAgreements,
} from '../../../server/token/jwe/known-agreements.ts'
import { agreeOn, seal } from '../../../server/token/jwe/seal-jwe.ts'
import { edit, MANGLINGS, withPart } from '../fixtures.ts'
import { createKey, forgeJwe, keyFor, openJwe, reasonOf, textOf } from './fixtures.ts'

const CAPACITY = 20
const key = keyFor('ECDH-ES+A128KW', 'P-256')
let agreements: KnownAgreements
beforeEach(() => {
  agreements = createKnownAgreements(CAPACITY)
})

const pass = (token: string, recipient = key) => {
  const opened = openJwe(token, recipient, agreements)
  agreements.remember('client', opened.agreement!)
  return opened.plaintext.toString()
}
/** Two tokens of one agreement, of which the first has passed every check. */
function sealPair(recipient = key) {
  const shared = agreeOn(recipient)
  const [first, second] = ['first', 'second'].map((text) =>
    seal(text, recipient, 'A128GCM', { agreement: shared }),
  ) as [string, string]
  pass(first, recipient)
  return { first, second }
}
const refused = (token: string, recipient = key) =>
  reasonOf(() => openJwe(token, recipient, agreements))

test('tokens of a known agreement hit the cache, and are decrypted correctly', () => {
  const { first, second } = sealPair()
  expect(pass(second)).toBe('second')
  expect(pass(first)).toBe('first')
  expect(agreements.lookups).toEqual({ hits: 2, misses: 1 })
})

test('a hit needs no key agreement', () => {
  const { second } = sealPair()
  // With another private key, only the remembered agreement can open the token.
  const other = { ...createKey('ECDH-ES+A128KW', 'P-256'), kid: key.kid }
  expect(textOf(second, other, agreements)).toBe('second')
  expect(reasonOf(() => openJwe(second, other))).toBe('decryption')
})

test('opening a token does not remember its agreement', () => {
  const token = seal('text', key, 'A128GCM')
  openJwe(token, key, agreements)
  openJwe(token, key, agreements)
  expect(agreements.lookups).toEqual({ hits: 0, misses: 2 })
})

test('a refused token leaves no agreement behind', () => {
  const token = seal('text', key, 'A128GCM')
  for (const index of [1, 2, 3, 4]) {
    const wrong = withPart(token, index, (part) => MANGLINGS[1]!(part))
    expect(refused(wrong)).toBe('decryption')
  }
  openJwe(token, key, agreements)
  expect(agreements.lookups.hits).toBe(0)
})

test.each([
  ['encrypted key', 1],
  ['initialization vector', 2],
  ['ciphertext', 3],
  ['authentication tag', 4],
])('a hit refuses a changed %s', (_name, index) => {
  const { first, second } = sealPair()
  for (const change of [...MANGLINGS, () => first.split('.')[index]!]) {
    const changed = withPart(second, index, change)
    if (changed !== second) expect(refused(changed)).toBe('decryption')
  }
  expect(pass(second)).toBe('second')
})

test.each([
  ['cty', 'JWT'],
  ['kid', 'another'],
  ['other', 1],
  ['apu', 'QQ'],
  ['apv', 'QQ'],
])('a hit refuses a header with another %s', (name, value) => {
  const { second } = sealPair()
  expect(refused(edit(second, 0, { [name]: value }))).toBe('decryption')
})

test('a known epk is still checked, each time', () => {
  const { second } = sealPair()
  const { epk } = JSON.parse(Buffer.from(second.split('.')[0]!, 'base64url').toString())
  for (const change of [{ d: epk.x }, { kty: 'OKP' }, { crv: 'P-384' }, { y: epk.x }]) {
    expect(refused(edit(second, 0, { epk: { ...epk, ...change } }))).toBe('epk')
  }
})

test('the same epk with other party information is another agreement', () => {
  const ephemeral = createKey('ECDH-ES', 'P-256')
  for (const party of [{}, { apu: 'QQ' }, { apv: 'QQ' }, { apu: 'QQ', apv: 'Qg' }]) {
    const header = (due: Record<string, unknown>) => ({ ...due, ...party })
    expect(pass(forgeJwe(key, 'A128GCM', { ephemeral, header }))).toBe('text')
  }
  expect(agreements.lookups).toEqual({ hits: 0, misses: 4 })
})

test('the same epk under another alg is another agreement', () => {
  const ephemeral = createKey('ECDH-ES', 'P-256')
  for (const alg of ['ECDH-ES+A128KW', 'ECDH-ES+A256KW'] as const) {
    const recipient = keyFor(alg, 'P-256')
    expect(pass(forgeJwe(recipient, 'A128GCM', { ephemeral }), recipient)).toBe('text')
  }
  expect(agreements.lookups.hits).toBe(0)
})

test('the same epk under another enc is the same agreement', () => {
  const ephemeral = createKey('ECDH-ES', 'P-256')
  for (const enc of ['A128GCM', 'A256CBC-HS512'] as const) {
    expect(pass(forgeJwe(key, enc, { ephemeral }))).toBe('text')
  }
  expect(agreements.lookups.hits).toBe(1)
})

test('the same epk to another key of ours is another agreement', () => {
  const { second } = sealPair()
  const next = { ...createKey('ECDH-ES+A128KW', 'P-256'), kid: 'next' }
  expect(refused(second, next)).toBe('decryption')
  expect(agreements.lookups.hits).toBe(0)
})

test('once its agreement is dropped, a token is opened with the key again', () => {
  const { second } = sealPair()
  agreements.clear()
  expect(textOf(second, key, agreements)).toBe('second')
  expect(agreements.lookups.hits).toBe(0)
})

test('direct key agreement and RSA have nothing to remember', () => {
  for (const [alg, crv] of [
    ['ECDH-ES', 'P-256'],
    ['RSA-OAEP-256', undefined],
  ] as const) {
    const recipient = keyFor(alg, crv)
    const token = seal('text', recipient, 'A128GCM')
    expect(openJwe(token, recipient, agreements).agreement).toBeUndefined()
  }
  expect(agreements.lookups).toEqual({ hits: 0, misses: 0 })
})

test('a full cache and a flood of invented keys do not affect good tokens', () => {
  for (let n = 0; n < CAPACITY * 2; n++) {
    const wrappingKey = createSecretKey(randomBytes(16))
    agreements.remember(`client${n}`, { id: `id${n}`, wrappingKey })
  }
  const { first, second } = sealPair()
  for (let n = 0; n < 50; n++) {
    const flood = edit(second, 0, { epk: agreeOn(key)!.epk })
    expect(refused(flood)).toBe('decryption')
  }
  expect(pass(first)).toBe('first')
  expect(pass(second)).toBe('second')
  expect(agreements.lookups.hits).toBe(2)
})
