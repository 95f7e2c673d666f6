import { generateKeyPairSync } from 'node:crypto'
import { expect, test } from '@jest/globals'
import { parseEphemeralKey } from '../../../../client/token/jwe/ephemeral-key.ts'
import { codeOf } from '../../../support/auth-client.ts'
import { forgeJwe, keyFor, LOW_ORDER_POINTS } from '../../../token/jwe/fixtures.ts'
import { clientKeyFor, openText } from './fixtures.ts'

const P256 = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' })
const X25519 = generateKeyPairSync('x25519').publicKey.export({ format: 'jwk' })

const reasonOf = (epk: unknown, kty = 'EC', crv: 'P-256' | 'P-384' | 'X25519' = 'P-256') =>
  codeOf(Promise.resolve().then(() => parseEphemeralKey(epk, kty, crv)))

test('a minimal public key is accepted', () => {
  expect(parseEphemeralKey(P256, 'EC', 'P-256')).toEqual(P256)
  expect(parseEphemeralKey(X25519, 'OKP', 'X25519')).toEqual(X25519)
})

test.each<[string, unknown]>([
  ['undefined', undefined],
  ['null', null],
  ['a string', 'epk'],
  ['a list', [P256]],
  ['another curve', { ...P256, crv: 'P-384' }],
  ['another type', { ...P256, kty: 'OKP' }],
  ['no y', { ...P256, y: undefined }],
  ['an empty coordinate', { ...P256, x: '' }],
  ['a short coordinate', { ...P256, x: P256.x!.slice(4) }],
  ['a coordinate with extra leading zeros', { ...P256, x: `AAAA${P256.x}` }],
  ['padding', { ...P256, x: `${P256.x}=` }],
  ['a private member', { ...P256, d: P256.x }],
  ['key_ops', { ...P256, key_ops: [] }],
  ['ext', { ...P256, ext: true }],
  ['an unknown member', { ...P256, other: 1 }],
])('an invalid epk is refused: %s', async (_name, epk) => {
  expect(await reasonOf(epk)).toBe('token_invalid')
})

test('a y coordinate on X25519 is refused', async () => {
  expect(await reasonOf({ ...X25519, y: X25519.x }, 'OKP', 'X25519')).toBe('token_invalid')
})

test.each(LOW_ORDER_POINTS)('a point of low order ($x) is refused', async (point) => {
  const alg = 'ECDH-ES+A128KW'
  const key = keyFor(alg, 'X25519')
  const header = (due: object) => ({ ...due, epk: point })
  const jwe = forgeJwe(key, 'A128GCM', { header, secret: Buffer.alloc(32) })
  const own = await clientKeyFor(alg, 'X25519')
  expect(await codeOf(openText(jwe, own, alg))).toBe('token_invalid')
})
