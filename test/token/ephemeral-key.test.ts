import { expect, test } from '@jest/globals'
import { generateKeyPairSync } from 'node:crypto'
import { isEphemeralKey } from '../../server/token/ephemeral-key.ts'

const publicJwk = (crv: string) =>
  (crv === 'X25519'
    ? generateKeyPairSync('x25519')
    : generateKeyPairSync('ec', { namedCurve: crv })
  ).publicKey.export({ format: 'jwk' })

test.each(['P-256', 'P-384', 'P-521', 'X25519'])('a key on %s has the shape of one', (crv) => {
  const key = publicJwk(crv)
  expect(isEphemeralKey(key)).toBe(true)
  expect(isEphemeralKey({ ...key, kid: 'more than is needed' })).toBe(true)
})

const KEY = publicJwk('P-256')

test.each<[string, unknown]>([
  ['nothing', undefined],
  ['null', null],
  ['a text', 'epk'],
  ['a list', [KEY]],
  ['no member', {}],
  ['no curve', { ...KEY, crv: undefined }],
  ['a curve that is not taken', { ...KEY, crv: 'secp256k1' }],
  ['a curve of another type', { ...KEY, kty: 'OKP' }],
  ['the coordinates of another curve', { ...publicJwk('P-384'), crv: 'P-256' }],
  ['a coordinate missing', { ...KEY, y: undefined }],
  ['a coordinate that is a number', { ...KEY, x: 1 }],
  ['a coordinate that is too long', { ...KEY, x: `${KEY.x}A` }],
  ['a coordinate in plain base64', { ...KEY, x: `+${KEY.x!.slice(1)}` }],
  ['key_ops', { ...KEY, key_ops: 'deriveBits' }],
  ['ext', { ...KEY, ext: 'yes' }],
])('%s has not', (_, epk) => {
  expect(isEphemeralKey(epk)).toBe(false)
})
