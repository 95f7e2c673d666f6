import { describe, expect, test } from '@jest/globals'
import { readdir } from 'node:fs/promises'
import { generateKeys } from '../../server/keystore/folder.ts'
import { generateKeyPair } from '../../server/keystore/key-pair.ts'
import {
  createEphemeralKeystore,
  createKeystore,
  openKeystore,
  recipient,
} from '../../server/keystore/keystore.ts'
import { DEFAULTS, emptyFolder, problemsOf } from './fixtures.ts'

describe('a keystore', () => {
  const made = Promise.all([generateKeyPair('sig', DEFAULTS), generateKeyPair('enc', DEFAULTS)])

  test('signs and encrypts with the keys it was given', async () => {
    const [sig, enc] = await made
    const keystore = createKeystore(sig, enc)
    expect(keystore.signingKey).toBe(sig)
    expect(keystore.encryptionKey).toBe(enc)
  })

  test('verifies by the signing key alone', async () => {
    const [sig, enc] = await made
    const keystore = createKeystore(sig, enc)
    expect(keystore.verificationKey(sig.kid)).toBe(sig)
    for (const kid of [enc.kid, '', 'unknown', '__proto__', sig.kid.toLowerCase()]) {
      expect(keystore.verificationKey(kid)).toBeUndefined()
    }
  })

  test('decrypts by the encryption key alone, which is also the one to try without kid', async () => {
    const [sig, enc] = await made
    const keystore = createKeystore(sig, enc)
    expect(keystore.decryptionKey(enc.kid)).toBe(enc)
    expect(keystore.decryptionKey(undefined)).toBe(enc)
    for (const kid of [sig.kid, '', 'unknown', '__proto__']) {
      expect(keystore.decryptionKey(kid)).toBeUndefined()
    }
  })

  test('is one to encrypt to: its public encryption key, for its own algorithm', async () => {
    const [sig, enc] = await made
    expect(recipient(createKeystore(sig, enc))).toEqual({
      kid: enc.kid,
      key: enc.publicKey,
      alg: 'ECDH-ES+A128KW',
    })
  })

  test('publishes the public halves', async () => {
    const [sig, enc] = await made
    const { jwks } = createKeystore(sig, enc)
    expect(jwks).toEqual({ keys: [sig.publicJwk, enc.publicJwk] })
    expect(jwks.keys.map(({ use, alg }) => [use, alg])).toEqual([
      ['sig', 'ES256'],
      ['enc', 'ECDH-ES+A128KW'],
    ])
    expect(jwks.keys.some((jwk) => 'd' in jwk)).toBe(false)
  })
})

test('keys in memory are fresh every time', async () => {
  const [one, other] = [
    await createEphemeralKeystore(DEFAULTS),
    await createEphemeralKeystore(DEFAULTS),
  ]
  const kids = [one, other].flatMap(({ jwks }) => jwks.keys.map(({ kid }) => kid))
  expect(new Set(kids).size).toBe(4)
})

describe('opening', () => {
  const settings = async (preserveSessions: boolean) => ({
    preserveSessions,
    keysDir: await emptyFolder(),
    privateKeyPassphrase: undefined,
    algorithms: DEFAULTS,
  })
  const generate = ({ keysDir, algorithms }: { keysDir: string; algorithms: typeof DEFAULTS }) =>
    generateKeys({ path: keysDir, passphrase: undefined, algorithms })

  test('with sessions preserved gives the same keys at every boot, and their warnings', async () => {
    const config = await settings(true)
    const { sig, enc, warnings } = await generate(config)
    for (let boot = 0; boot < 2; boot++) {
      const opened = await openKeystore(config)
      expect(opened.keystore.signingKey.kid).toBe(sig.pair.kid)
      expect(opened.keystore.encryptionKey.kid).toBe(enc.pair.kid)
      expect(opened.warnings).toEqual(warnings)
      expect(warnings).toHaveLength(2)
    }
  })

  test('with sessions preserved never makes a key', async () => {
    const config = await settings(true)
    expect(await problemsOf(openKeystore(config))).toHaveLength(1)
    expect(await readdir(config.keysDir)).toEqual([])
  })

  test('with sessions preserved opens keys under a passphrase', async () => {
    const config = { ...(await settings(true)), privateKeyPassphrase: 'x' }
    await generateKeys({ path: config.keysDir, passphrase: 'x', algorithms: DEFAULTS })
    expect((await openKeystore(config)).warnings).toEqual([])
  })

  test('without, gives fresh keys at every boot and leaves the folder alone', async () => {
    const config = await settings(false)
    const { sig } = await generate(config)
    const boots = [await openKeystore(config), await openKeystore(config)]
    const kids = [sig.pair.kid, ...boots.map(({ keystore }) => keystore.signingKey.kid)]
    expect(new Set(kids).size).toBe(3)
    expect(boots.map(({ warnings }) => warnings)).toEqual([[], []])
    expect((await readdir(config.keysDir)).sort()).toEqual(['enc.key', 'sig.key'])
  })

  test('without, asks for no folder', async () => {
    const config = { ...(await settings(false)), keysDir: '/nonexistent/keys' }
    expect((await openKeystore(config)).keystore.jwks.keys).toHaveLength(2)
  })
})
