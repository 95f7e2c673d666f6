import { createCipheriv, randomBytes } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import { expect, test } from '@jest/globals'
import { decryptPrivateKey } from '../../pkcs8/decrypt-key.ts'
import { encryptPrivateKey } from '../../pkcs8/encrypt-key.ts'
import { encodeEncryptedKey } from '../../pkcs8/encrypted-key.ts'
import { deriveKey } from '../../pkcs8/scrypt.ts'
import { ecKey, pkcs8 } from '../keystore/fixtures.ts'
import { CHEAP_SCRYPT } from '../support/scrypt.ts'

const KEY = ecKey()
const toPem = (der: Buffer) =>
  `-----BEGIN ENCRYPTED PRIVATE KEY-----\n${der.toString('base64')}\n-----END ENCRYPTED PRIVATE KEY-----\n`

test('decrypts a file from before scrypt', async () => {
  const pem = pkcs8(KEY, 'old passphrase')
  expect((await decryptPrivateKey(pem, 'old passphrase'))?.equals(KEY)).toBe(true)
  expect(await decryptPrivateKey(pem, 'wrong')).toBeUndefined()
})

test.each(['wrong', '', 'right '])(
  'the wrong passphrase %j gives undefined',
  async (passphrase) => {
    const pem = await encryptPrivateKey(KEY, 'right', CHEAP_SCRYPT)
    expect(await decryptPrivateKey(pem, passphrase)).toBeUndefined()
  },
)

/** Any bytes, encrypted as a key would be. */
async function encrypted(plaintext: Uint8Array, cost = CHEAP_SCRYPT): Promise<string> {
  const [salt, iv] = [randomBytes(16), randomBytes(16)]
  const cipher = createCipheriv('aes-256-cbc', await deriveKey('p', salt, CHEAP_SCRYPT), iv)
  const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final()])
  return toPem(encodeEncryptedKey({ salt, scryptCost: cost, iv, ciphertext }))
}

test('a decrypted text that is not a key gives undefined', async () => {
  const der = KEY.export({ type: 'pkcs8', format: 'der' })
  expect((await decryptPrivateKey(await encrypted(der), 'p'))?.equals(KEY)).toBe(true)
  for (const other of [randomBytes(100), der.subarray(0, -1), Buffer.alloc(0)]) {
    expect(await decryptPrivateKey(await encrypted(other), 'p')).toBeUndefined()
  }
})

test.each([
  { cost: 0, blockSize: 8, parallelization: 1 },
  { cost: 1, blockSize: 8, parallelization: 1 },
  { cost: 3, blockSize: 8, parallelization: 1 },
  { cost: -16_384, blockSize: 8, parallelization: 1 },
  { cost: 16_384, blockSize: 0, parallelization: 1 },
  { cost: 16_384, blockSize: 8, parallelization: 0 },
  { cost: 16_384, blockSize: 8, parallelization: 2 ** 30 },
  { cost: 32_768, blockSize: 8, parallelization: 1 },
  { cost: 2 ** 40, blockSize: 8, parallelization: 1 },
])('a file with the scrypt cost %j gives undefined', async (cost) => {
  const der = KEY.export({ type: 'pkcs8', format: 'der' })
  expect(await decryptPrivateKey(await encrypted(der, cost), 'p')).toBeUndefined()
})

/** How many turns the event loop takes while `work` is done. */
async function turnsDuring(work: Promise<unknown>): Promise<number> {
  let isDone = false as boolean
  let turns = 0
  const working = work.finally(() => (isDone = true))
  do {
    await setImmediate()
    turns++
  } while (!isDone)
  await working
  return turns
}

test('the event loop is not blocked', async () => {
  const pem = await encryptPrivateKey(KEY, 'p')
  // On the event loop, scrypt would leave room for two or three turns.
  expect(await turnsDuring(decryptPrivateKey(pem, 'p'))).toBeGreaterThan(20)
})
