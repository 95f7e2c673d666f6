import { execFileSync, spawnSync } from 'node:child_process'
import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { describe, expect, test } from '@jest/globals'
import { decryptPrivateKey } from '../../pkcs8/decrypt-key.ts'
import { encryptPrivateKey } from '../../pkcs8/encrypt-key.ts'
import { decodeEncryptedKey } from '../../pkcs8/encrypted-key.ts'
import { ecKey, rsaKey } from '../keystore/fixtures.ts'
import { CHEAP_SCRYPT } from '../support/scrypt.ts'

const PASSPHRASE = 'long pass phrase, \u043f\u0430\u0440\u043e\u043b\u044c \u{1f511}'
const EC = ecKey()
const KEYS: [string, KeyObject][] = [
  ['EC P-256', EC],
  ['EC P-521', ecKey('P-521')],
  ['RSA', rsaKey()],
  ['Ed25519', generateKeyPairSync('ed25519').privateKey],
  ['X25519', generateKeyPairSync('x25519').privateKey],
]
const derOf = (pem: string) => Buffer.from(pem.replace(/-----[^-]+-----/g, ''), 'base64')

test.each(KEYS)('an encrypted key is read by node:crypto and by us: %s', async (_name, key) => {
  const pem = await encryptPrivateKey(key, PASSPHRASE, CHEAP_SCRYPT)
  expect(createPrivateKey({ key: pem, passphrase: PASSPHRASE }).equals(key)).toBe(true)
  expect((await decryptPrivateKey(pem, PASSPHRASE))?.equals(key)).toBe(true)
  // RFC 7468 §2: lines of 64, the last one shorter.
  const lines = pem.split('\n')
  expect(lines.shift()).toBe('-----BEGIN ENCRYPTED PRIVATE KEY-----')
  expect(lines.splice(-2)).toEqual(['-----END ENCRYPTED PRIVATE KEY-----', ''])
  expect(lines.slice(0, -1).every((line) => line.length === 64)).toBe(true)
  expect(lines.at(-1)!.length).toBeLessThanOrEqual(64)
})

test('the default cost is the documented one', async () => {
  const pem = await encryptPrivateKey(EC, PASSPHRASE)
  expect(decodeEncryptedKey(derOf(pem))?.scryptCost).toEqual({
    cost: 16_384,
    blockSize: 8,
    parallelization: 1,
  })
  expect(createPrivateKey({ key: pem, passphrase: PASSPHRASE }).equals(EC)).toBe(true)
  expect((await decryptPrivateKey(pem, PASSPHRASE))?.equals(EC)).toBe(true)
})

test('each encryption has a fresh salt and IV', async () => {
  const pems = [1, 2].map(() => encryptPrivateKey(EC, PASSPHRASE, CHEAP_SCRYPT))
  const [one, other] = (await Promise.all(pems)).map((pem) => decodeEncryptedKey(derOf(pem))!)
  expect(one!.salt).toHaveLength(16)
  expect(one!.salt).not.toEqual(other!.salt)
  expect(one!.iv).not.toEqual(other!.iv)
})

const openssl = spawnSync('openssl', ['version'])
const hasOpenssl = openssl.status === 0 && /^OpenSSL [3-9]/.test(openssl.stdout.toString())

describe('the openssl program', () => {
  // Without it, node:crypto is asked, which reads with the same library.
  const readsIt = (pem: string, passphrase: string): KeyObject => {
    if (!hasOpenssl) return createPrivateKey({ key: pem, passphrase })
    const args = ['pkey', '-passin', `pass:${passphrase}`]
    return createPrivateKey(execFileSync('openssl', args, { input: pem, stdio: 'pipe' }))
  }

  test('reads an encrypted key', async () => {
    const pem = await encryptPrivateKey(EC, PASSPHRASE)
    expect(readsIt(pem, PASSPHRASE).equals(EC)).toBe(true)
    expect(() => readsIt(pem, 'wrong')).toThrow()
  })
})
