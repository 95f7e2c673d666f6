import { beforeAll, describe, expect, test } from '@jest/globals'
import { createPrivateKey, createPublicKey } from 'node:crypto'
import { generateKeyPair, type KeyPair } from '../../server/keystore/key-pair.ts'
import { openFromStorage, sealForStorage } from '../../server/database-keys/storage-encryption.ts'
import { DEFAULTS } from '../keystore/fixtures.ts'

let key: KeyPair
let sealed: string
beforeAll(async () => {
  key = await generateKeyPair('enc', DEFAULTS)
  sealed = sealForStorage('secret', key)
})

test.each(['P-256', 'P-384', 'P-521', 'X25519'] as const)(
  'a key on %s opens what it has sealed, even after it is read from its file again',
  async (encryptionCrv) => {
    const first = await generateKeyPair('enc', { ...DEFAULTS, encryptionCrv })
    const pem = first.privateKey.export({ type: 'pkcs8', format: 'pem' })
    const again = { privateKey: createPrivateKey(pem) }
    expect(openFromStorage(sealForStorage('secret', first), again)).toBe('secret')
  },
)

test('an RSA key opens what it has sealed', async () => {
  const rsa = await generateKeyPair('enc', { ...DEFAULTS, encryptionAlg: 'RSA-OAEP-256' })
  expect(openFromStorage(sealForStorage('secret', rsa), rsa)).toBe('secret')
})

test('a sealed text names its key, and is different each time', () => {
  const header = JSON.parse(Buffer.from(sealed.split('.')[0]!, 'base64url').toString())
  expect(header).toEqual({ alg: 'dir', enc: 'A256GCM', kid: key.kid })
  expect(sealForStorage('secret', key)).not.toBe(sealed)
})

describe('a sealed text is not opened', () => {
  const refused = { code: 'token_invalid', reason: 'decryption' }
  const open = (text: string, by: Pick<KeyPair, 'privateKey'> = key) => openFromStorage(text, by)

  test('by another key', async () => {
    const other = await generateKeyPair('enc', DEFAULTS)
    expect(() => open(sealed, other)).toThrow(expect.objectContaining(refused))
  })

  test.each([0, 2, 3, 4])('with another bit in part %i', (part) => {
    const parts = sealed.split('.')
    const bytes = Buffer.from(parts[part]!, 'base64url')
    bytes[2]! ^= 1
    parts[part] = bytes.toString('base64url')
    expect(() => open(parts.join('.'))).toThrow(expect.objectContaining(refused))
  })

  test.each([
    [1, 'AAAA'],
    [2, 'AAAA'],
    [4, 'AAAA'],
  ])('with part %i of another length', (part, text) => {
    const parts = sealed.split('.')
    parts[part] = text
    expect(() => open(parts.join('.'))).toThrow(expect.objectContaining(refused))
  })
})

test('a public key seals nothing', () => {
  const publicKey = createPublicKey(key.privateKey)
  expect(() => sealForStorage('secret', { kid: 'a', privateKey: publicKey })).toThrow(TypeError)
})
