import { deflateRawSync } from 'node:zlib'
import { beforeAll, describe, expect, test } from '@jest/globals'
import { CompactEncrypt, decodeProtectedHeader } from 'jose'
import { decrypt } from '../../../client/token/decrypt.ts'
import { generateClientKey } from '../../../client/keys/client-key.ts'
import { codeOf } from '../../support/auth-client.ts'
import { encryptJwe } from '../../support/foreign-jose.ts'
import {
  edit,
  MANGLINGS,
  REFUSED_PARAMETERS,
  SPELLINGS,
  withPart,
  withStrayBit,
} from '../../token/fixtures.ts'
import { publicKeyOf, setUpClient, type ClientFixture } from './fixtures.ts'

let fixture: ClientFixture
beforeAll(async () => {
  fixture = await setUpClient()
})

const refused = (jwe: string) => codeOf(decrypt(jwe, fixture.key, 'JWT'))

test('opens tokens for this client, whoever made them', async () => {
  const jwe = fixture.access()
  expect((await decrypt(jwe, fixture.key, 'JWT')).split('.')).toHaveLength(3)
  expect(await decrypt(fixture.sealFor('\ufeffZoë'), fixture.key, 'JWT')).toBe('\ufeffZoë')
  const json = fixture.sealFor('{}', { cty: 'json' })
  expect(await decrypt(json, fixture.key, 'json')).toBe('{}')
})

describe('a JWE header with', () => {
  test.each<[string, Record<string, unknown>]>([
    ['no alg', { alg: undefined }],
    ['no enc', { enc: undefined }],
    ['alg dir', { alg: 'dir' }],
    ['alg A128KW', { alg: 'A128KW' }],
    ['an alg of another key type', { alg: 'RSA-OAEP-256' }],
    ['alg RSA1_5', { alg: 'RSA1_5' }],
    ['a passphrase-based alg', { alg: 'PBES2-HS256+A128KW' }],
    ['another supported alg', { alg: 'ECDH-ES+A256KW' }],
    ['alg none', { alg: 'none' }],
    ['another supported enc', { enc: 'A256GCM' }],
    ['enc A192GCM', { enc: 'A192GCM' }],
    ['no kid', { kid: undefined }],
    ['another kid', { kid: 'x' }],
    ['a kid that is a list', { kid: [] }],
    ['no cty', { cty: undefined }],
    ['cty json', { cty: 'json' }],
    ['cty in lower case', { cty: 'jwt' }],
    ['no epk', { epk: undefined }],
    ['an epk on another curve', { epk: { kty: 'EC', crv: 'P-384', x: 'AA', y: 'AA' } }],
    ['an epk off the curve', { epk: { kty: 'EC', crv: 'P-256', x: 'AA', y: 'AA' } }],
    ['an epk that is a string', { epk: 'epk' }],
  ])('%s is refused', async (_name, changes) => {
    expect(await refused(fixture.sealFor('text', changes))).toBe('token_invalid')
    // The same change without the key: the tag does not match.
    expect(await refused(edit(fixture.sealFor('text'), 0, changes))).toBe('token_invalid')
  })

  test.each(REFUSED_PARAMETERS)('%s %j is refused', async (name, value) => {
    expect(await refused(fixture.sealFor('text', { [name]: value }))).toBe('token_invalid')
  })

  test('an enc outside the allow-list is refused, even if it is secure', async () => {
    const { key } = fixture
    const jwe = await new CompactEncrypt(new TextEncoder().encode('text'))
      .setProtectedHeader({ alg: 'ECDH-ES', enc: 'A192GCM', kid: key.id, cty: 'JWT' })
      .encrypt(publicKeyOf(key))
    expect(await refused(jwe)).toBe('token_invalid')
  })

  test('an alg outside the allow-list is refused, even if it is secure', async () => {
    const { key } = fixture
    const jwe = await new CompactEncrypt(new TextEncoder().encode('text'))
      .setProtectedHeader({ alg: 'ECDH-ES+A192KW', enc: 'A128GCM', kid: key.id, cty: 'JWT' })
      .encrypt(publicKeyOf(key))
    expect(await refused(jwe)).toBe('token_invalid')
  })

  test('zip is refused, and nothing is inflated', async () => {
    const jwe = fixture.sealFor(deflateRawSync('text'), { zip: 'DEF' })
    expect(await refused(jwe)).toBe('token_invalid')
  })
})

describe('an epk that is not a key is refused, not thrown as a bug:', () => {
  test.each<[string, (epk: Record<string, unknown>) => unknown]>([
    ['null', () => null],
    ['a list', () => []],
    ['with a number as a coordinate', (epk) => ({ ...epk, x: 1 })],
    ['with an object as a coordinate', (epk) => ({ ...epk, y: {} })],
    ['with a coordinate that is too short', (epk) => ({ ...epk, x: 'AAAA' })],
    ['without a coordinate', ({ kty, crv, x }) => ({ kty, crv, x })],
    ['with key_ops', (epk) => ({ ...epk, key_ops: 'deriveBits' })],
    ['without a curve', ({ kty, x, y }) => ({ kty, x, y })],
    ['with ext', (epk) => ({ ...epk, ext: 'yes' })],
    ['with a number as its curve', (epk) => ({ ...epk, crv: 256 })],
    ['with another kty', (epk) => ({ ...epk, kty: 'OK' })],
    ['off the curve', (epk) => ({ ...epk, x: epk['y'] })],
    ['with a coordinate that is not base64url', (epk) => ({ ...epk, x: '!'.repeat(43) })],
  ])('%s', async (_, change) => {
    const header = decodeProtectedHeader(fixture.sealFor('text'))
    const epk = change(header['epk'] as Record<string, unknown>)
    expect(await refused(fixture.sealFor('text', { epk }))).toBe('token_invalid')
  })
})

test('a bug is thrown as it is', async () => {
  const { publicKey } = await crypto.subtle.generateKey(
    { name: 'ECDH', namedCurve: 'P-256' },
    false,
    ['deriveBits'],
  )
  // A public key cannot derive bits.
  const key = { ...fixture.key, privateKey: publicKey }
  await expect(decrypt(fixture.access(), key, 'JWT')).rejects.toThrow(
    expect.objectContaining({ name: 'InvalidAccessError' }),
  )
})

test('a token for another client is refused, under either kid', async () => {
  const other = await generateClientKey({ kty: 'EC', crv: 'P-256' })
  for (const { id } of [other, fixture.key]) {
    const jwe = encryptJwe('text', publicKeyOf(other), { kid: id, cty: 'JWT' })
    expect(await refused(jwe)).toBe('token_invalid')
  }
})

test('a plaintext that is not UTF-8 is refused', async () => {
  expect(await refused(fixture.sealFor(Buffer.from([0xff, 0xfe])))).toBe('token_invalid')
})

describe.each([
  ['header', 0],
  ['encrypted key', 1],
  ['initialization vector', 2],
  ['ciphertext', 3],
  ['authentication tag', 4],
])('%s', (_name, index) => {
  test('with other, fewer, more or no bytes is refused', async () => {
    const jwe = fixture.access()
    for (const mangle of MANGLINGS) {
      expect(await refused(withPart(jwe, index, mangle))).toBe('token_invalid')
    }
  })

  test.each(SPELLINGS)('with %s is refused', async (_spelling, respell) => {
    expect(await refused(withPart(fixture.access(), index, respell))).toBe('token_invalid')
  })
})

test('an authentication tag with a stray bit is refused', async () => {
  expect(await refused(withPart(fixture.access(), 4, withStrayBit))).toBe('token_invalid')
})
