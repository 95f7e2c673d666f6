/** The client's own keys, and key thumbprints. */
import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, jest, test } from '@jest/globals'
import { calculateJwkThumbprint, CompactEncrypt, compactDecrypt, importJWK, type JWK } from 'jose'
import { encryptionAlgsFor, type KeyType } from '../../../protocol/algorithms.ts'
import { fits, generateClientKey } from '../../../client/keys/client-key.ts'
import { decrypt } from '../../../client/token/decrypt.ts'
import { pickPublic, thumbprint } from '../../../client/keys/public-jwk.ts'

const ec = (namedCurve: string) => () => generateKeyPairSync('ec', { namedCurve })
const kinds = [
  ['EC P-256', ec('P-256')],
  ['EC P-384', ec('P-384')],
  ['EC P-521', ec('P-521')],
  ['X25519', () => generateKeyPairSync('x25519')],
  ['Ed25519', () => generateKeyPairSync('ed25519')],
  ['RSA', () => generateKeyPairSync('rsa', { modulusLength: 2048 })],
] as const

/** Other members of JWKs (RFC 7517 §4, RFC 7518 §6), and unknown ones. */
const MORE = {
  kid: 'x',
  use: 'sig',
  alg: 'x',
  key_ops: ['sign'],
  ext: true,
  x5c: ['x'],
  x5t: 'x',
  x5u: 'x',
  k: 'x',
  oth: [],
  iat: 1,
  'x5t#S256': 'x',
  constructor: 'x',
  unknown: 'x',
}

describe.each(kinds)('a key of the type %s', (_name, generate) => {
  const { publicKey, privateKey } = generate()
  const publicJwk = publicKey.export({ format: 'jwk' }) as JWK
  const privateJwk = privateKey.export({ format: 'jwk' }) as JWK

  test('has the thumbprint that jose computes, whatever the order of its members', async () => {
    expect(await thumbprint(publicJwk)).toBe(await calculateJwkThumbprint(publicJwk))
    expect(await thumbprint(publicJwk)).toMatch(/^[A-Za-z0-9_-]{43}$/)
    // The order of members does not matter.
    const reversed = Object.fromEntries(Object.entries(publicJwk).reverse())
    expect(await thumbprint(reversed)).toBe(await calculateJwkThumbprint(publicJwk))
  })

  test('keeps only its public members', async () => {
    const picked = pickPublic({ ...privateJwk, ...MORE })
    expect(picked).toEqual(publicJwk)
    expect(await thumbprint(picked)).toBe(await calculateJwkThumbprint(privateJwk))
  })

  test('has another thumbprint if a member is missing or different', async () => {
    const name = await thumbprint(publicJwk)
    for (const member of Object.keys(publicJwk)) {
      expect(await thumbprint({ ...publicJwk, [member]: undefined })).not.toBe(name)
      expect(await thumbprint({ ...publicJwk, [member]: 'AA' })).not.toBe(name)
      expect(pickPublic({ ...publicJwk, [member]: [member] })).not.toHaveProperty(member)
    }
  })
})

describe.each<KeyType>([
  { kty: 'EC', crv: 'P-256' },
  { kty: 'EC', crv: 'P-384' },
  { kty: 'EC', crv: 'P-521' },
  { kty: 'OKP', crv: 'X25519' },
  { kty: 'RSA' },
])('a client key of the type %j', (type) => {
  test('opens what jose seals to it, and cannot be exported', async () => {
    const key = await generateClientKey(type)
    expect(key.publicJwk).toMatchObject(type)
    expect(key.publicJwk).toEqual(pickPublic({ ...key.publicJwk }))
    expect(key.id).toBe(await calculateJwkThumbprint(key.publicJwk))
    expect(fits(key, type)).toBe(true)
    expect(fits(key, { kty: 'EC', crv: 'another' })).toBe(false)
    expect(key.privateKey).toMatchObject({ type: 'private', extractable: false })
    for (const format of ['jwk', 'pkcs8', 'raw'] as const) {
      await expect(crypto.subtle.exportKey(format, key.privateKey)).rejects.toThrow()
    }
    for (const alg of encryptionAlgsFor(type.kty)) {
      const jwe = await new CompactEncrypt(new TextEncoder().encode('text'))
        .setProtectedHeader({ alg, enc: 'A256GCM', kid: key.id, cty: 'JWT' })
        .encrypt(await importJWK(key.publicJwk, alg))
      const { plaintext } = await compactDecrypt(jwe, key.privateKey)
      expect(new TextDecoder().decode(plaintext)).toBe('text')
      expect(await decrypt(jwe, key, 'JWT')).toBe('text')
    }
  })

  test('can be made exportable, and is different each time', async () => {
    const key = await generateClientKey(type, true)
    const privateJwk = await crypto.subtle.exportKey('jwk', key.privateKey)
    expect(await calculateJwkThumbprint(privateJwk as JWK)).toBe(key.id)
    expect((await generateClientKey(type)).id).not.toBe(key.id)
  })
})

test('an unsupported curve is reported as such, and any other error is thrown as it is', async () => {
  const generate = jest.spyOn(crypto.subtle, 'generateKey')
  const asked = () => generateClientKey({ kty: 'OKP', crv: 'X25519' })
  generate.mockRejectedValueOnce(new DOMException('Unrecognized name.', 'NotSupportedError'))
  await expect(asked()).rejects.toMatchObject({ code: 'key_not_supported' })
  const fault = new DOMException('Out of memory.', 'OperationError')
  generate.mockRejectedValueOnce(fault)
  await expect(asked()).rejects.toBe(fault)
  generate.mockRestore()
})
