import { describe, expect, test } from '@jest/globals'
import { readdir } from 'node:fs/promises'
import { generateKeys } from '../../server/commands/keys/folder-changes.ts'
import { generateKeyPair } from '../../server/keystore/key-pair.ts'
import { loadKeys } from '../../server/keystore/key-set.ts'
import { createEphemeralKeystore, createKeystore } from '../../server/keystore/keystore.ts'
import { openKeystore } from '../../server/keystore/open-keystore.ts'
import { UnavailableError } from '../../server/errors/unavailable-error.ts'
import { CHEAP_SCRYPT } from '../support/scrypt.ts'
import { DEFAULTS, emptyFolder, keySet, problemsOf, ring } from './fixtures.ts'

const ALL_FILES = ['enc.key', 'enc.next.key', 'keys.json', 'sig.key', 'sig.next.key']

describe('a keystore', () => {
  const made = Promise.all([generateKeyPair('sig', DEFAULTS), generateKeyPair('enc', DEFAULTS)])

  test('signs and encrypts with the keys it was given', async () => {
    const [sig, enc] = await made
    const keystore = createKeystore(keySet(sig, enc))
    expect(keystore.signingKey).toBe(sig)
    expect(keystore.encryptionKey).toBe(enc)
  })

  test('verifies with the signing key only', async () => {
    const [sig, enc] = await made
    const keystore = createKeystore(keySet(sig, enc))
    expect(keystore.verificationKey(sig.kid)).toBe(sig)
    for (const kid of [enc.kid, '', 'unknown', '__proto__', sig.kid.toLowerCase()]) {
      expect(keystore.verificationKey(kid)).toBeUndefined()
    }
  })

  test('decrypts with the encryption key only, and with it if there is no kid', async () => {
    const [sig, enc] = await made
    const keystore = createKeystore(keySet(sig, enc))
    expect(keystore.decryptionKey(enc.kid)).toBe(enc)
    expect(keystore.decryptionKey(undefined)).toBe(enc)
    for (const kid of [sig.kid, '', 'unknown', '__proto__']) {
      expect(keystore.decryptionKey(kid)).toBeUndefined()
    }
  })

  test('has an encryption key with the configured algorithm', async () => {
    const [sig, enc] = await made
    expect(createKeystore(keySet(sig, enc)).encryptionKey).toBe(enc)
    expect(enc.alg).toBe('ECDH-ES+A128KW')
  })

  test('publishes the public keys only', async () => {
    const [sig, enc] = await made
    const { jwks } = createKeystore(keySet(sig, enc))
    expect(jwks).toEqual({ keys: [sig.publicJwk, enc.publicJwk] })
    expect(jwks.keys.map(({ use, alg }) => [use, alg])).toEqual([
      ['sig', 'ES256'],
      ['enc', 'ECDH-ES+A128KW'],
    ])
    expect(jwks.keys.some((jwk) => 'd' in jwk)).toBe(false)
  })
})

const pairs = (use: 'sig' | 'enc') =>
  Promise.all([1, 2, 3, 4].map(() => generateKeyPair(use, DEFAULTS)))
const made = Promise.all([pairs('sig'), pairs('enc')])

describe('a keystore with keys in every state', () => {
  const rings = async () => {
    const [sig, enc] = await made
    const toRing = ([current, next, ...previous]: typeof sig, currentSince: number) =>
      ring(current!, { next, previous, currentSince })
    return keySet(toRing(sig, 2000), toRing(enc, 1000))
  }

  test('signs and encrypts with the current keys, and accepts all', async () => {
    const [sig, enc] = await made
    const keystore = createKeystore(await rings())
    expect(keystore.signingKey).toBe(sig[0])
    expect(keystore.encryptionKey).toBe(enc[0])
    for (const key of sig) expect(keystore.verificationKey(key.kid)).toBe(key)
    for (const key of enc) expect(keystore.decryptionKey(key.kid)).toBe(key)
    expect(keystore.decryptionKey(undefined)).toBe(enc[0])
    expect(enc.map(({ kid }) => keystore.verificationKey(kid))).toEqual(Array(4).fill(undefined))
    expect(sig.map(({ kid }) => keystore.decryptionKey(kid))).toEqual(Array(4).fill(undefined))
  })

  test('publishes all keys, the current one of each use first', async () => {
    const [sig, enc] = await made
    const { keys } = createKeystore(await rings()).jwks
    expect(keys).toEqual([...sig, ...enc].map(({ publicJwk }) => publicJwk))
  })

  test('is as old as the older of its current keys', async () => {
    const set = await rings()
    expect(createKeystore(set).currentSince).toBe(1000)
    const sig = { ...set.sig, currentSince: 5 }
    expect(createKeystore({ ...set, sig }).currentSince).toBe(5)
  })

  test('replaces its keys at once, and reports the ones added and removed', async () => {
    const [sig, enc] = await made
    const keystore = createKeystore(keySet(sig[0]!, ring(enc[0]!, { previous: [enc[1]!] })))
    const before = keystore.jwks
    const kept = { recipient: keystore.encryptionKey, jwks: structuredClone(before) }
    const changes = keystore.replace(
      keySet(
        ring(sig[1]!, { previous: [sig[0]!], currentSince: 7 }),
        ring(enc[2]!, { currentSince: 9 }),
      ),
    )
    expect(changes).toEqual({
      added: [sig[1]!.kid, enc[2]!.kid],
      removed: [enc[0]!.kid, enc[1]!.kid],
    })
    expect(keystore.signingKey).toBe(sig[1])
    expect(keystore.encryptionKey).toBe(enc[2])
    expect(keystore.verificationKey(sig[0]!.kid)).toBe(sig[0])
    expect(keystore.decryptionKey(enc[0]!.kid)).toBeUndefined()
    expect(keystore.currentSince).toBe(7)
    expect(keystore.jwks.keys.map(({ kid }) => kid)).toEqual(
      [sig[1], sig[0], enc[2]].map((key) => key!.kid),
    )
    // What a request has already taken stays as it was.
    expect(before).toEqual(kept.jwks)
    expect(kept.recipient.kid).toBe(enc[0]!.kid)
  })

  test('reports nothing added or removed if the keys stay the same', async () => {
    const keystore = createKeystore(await rings())
    expect(keystore.replace(await rings())).toEqual({ added: [], removed: [] })
  })
})

describe('an unknown kid', () => {
  test('is searched for if the keystore follows a folder, and a known one is not', async () => {
    const [sig, enc] = await made
    const keystore = createKeystore(keySet(sig[0]!, enc[0]!))
    let looks = 0
    keystore.follow(() => {
      looks++
      keystore.replace(keySet(sig[1]!, ring(enc[1]!, { previous: [enc[0]!] })))
      return Promise.resolve()
    })
    expect(keystore.verificationKey(sig[0]!.kid)).toBe(sig[0])
    for (const kid of [undefined, enc[0]!.kid]) expect(keystore.decryptionKey(kid)).toBe(enc[0])
    expect(keystore.storageKey(enc[0]!.kid)).toBe(enc[0])
    expect(looks).toBe(0)

    expect(await keystore.verificationKey(sig[1]!.kid)).toBe(sig[1])
    expect(looks).toBe(1)
    expect(await keystore.decryptionKey(enc[2]!.kid)).toBeUndefined()
    expect(await keystore.storageKey(enc[2]!.kid)).toBeUndefined()
    expect(looks).toBe(3)
  })

  test('is unavailable while the folder cannot be read', async () => {
    const [sig, enc] = await made
    const keystore = createKeystore(keySet(sig[0]!, enc[0]!))
    keystore.follow(() => Promise.reject(new UnavailableError('away', 5)))
    await expect(keystore.decryptionKey('x')).rejects.toThrow(UnavailableError)
    await expect(keystore.verificationKey('x')).rejects.toThrow(UnavailableError)
    await expect(keystore.storageKey('x')).rejects.toThrow(UnavailableError)
    expect(keystore.decryptionKey(enc[0]!.kid)).toBe(enc[0])
  })
})

test('stored data outlives the retirement of its key, but tokens do not', async () => {
  const [sig, enc] = await made
  const [current, next, previous, retired] = enc
  const keystore = createKeystore({
    ...keySet(sig[0]!, ring(current!, { next: next!, previous: [previous!] })),
    retired: [retired!],
    removed: ['gone'],
  })
  for (const key of enc) expect(keystore.storageKey(key.kid)).toBe(key)
  expect(keystore.decryptionKey(retired!.kid)).toBeUndefined()
  expect(keystore.jwks.keys.map(({ kid }) => kid)).not.toContain(retired!.kid)
  // What is sealed to the next key comes from a server that is ahead.
  const kids = [...enc.map(({ kid }) => kid), 'gone', 'unknown']
  expect(kids.filter((kid) => keystore.isPrevious(kid))).toEqual([previous!.kid, retired!.kid])
  expect(kids.filter((kid) => keystore.isRemoved(kid))).toEqual(['gone'])
})

test('ephemeral keystores have different keys', async () => {
  const [one, other] = [
    await createEphemeralKeystore(DEFAULTS),
    await createEphemeralKeystore(DEFAULTS),
  ]
  const kids = [one, other].flatMap(({ jwks }) => jwks.keys.map(({ kid }) => kid))
  expect(new Set(kids).size).toBe(4)
})

describe('opening', () => {
  const open = (config: Parameters<typeof openKeystore>[0]) =>
    openKeystore(config, () => Promise.resolve([]))
  const settings = async (preserveSessions: boolean) => ({
    preserveSessions,
    keysDir: await emptyFolder(),
    privateKeyPassphrase: undefined,
    algorithms: DEFAULTS,
  })
  const generate = async (config: { keysDir: string; algorithms: typeof DEFAULTS }) => {
    const folder = { path: config.keysDir, passphrase: undefined, algorithms: config.algorithms }
    await generateKeys(folder)
    return loadKeys(folder)
  }

  test('with preserved sessions, has the same keys and warnings at every boot', async () => {
    const config = await settings(true)
    const { sig, enc, warnings, fingerprint } = await generate(config)
    for (let boot = 0; boot < 2; boot++) {
      const opened = await open(config)
      expect(opened.keystore.signingKey.kid).toBe(sig.current.kid)
      expect(opened.keystore.encryptionKey.kid).toBe(enc.current.kid)
      expect(opened.warnings).toEqual(warnings)
      expect(opened.source?.fingerprint).toBe(fingerprint)
      expect(warnings).toHaveLength(4)
      expect(fingerprint).toMatch(/^sig\.next\.key /m)
    }
  })

  test('with preserved sessions, never creates a key', async () => {
    const config = await settings(true)
    expect(await problemsOf(open(config))).toHaveLength(1)
    expect(await readdir(config.keysDir)).toEqual([])
  })

  test('with preserved sessions, opens keys under a passphrase', async () => {
    const config = { ...(await settings(true)), privateKeyPassphrase: 'x' }
    await generateKeys({
      path: config.keysDir,
      passphrase: 'x',
      algorithms: DEFAULTS,
      scryptCost: CHEAP_SCRYPT,
    })
    expect((await open(config)).warnings).toEqual([])
  })

  test('without preserved sessions, has fresh keys at every boot and does not touch the folder', async () => {
    const config = await settings(false)
    const { sig } = await generate(config)
    const boots = [await open(config), await open(config)]
    const kids = [sig.current.kid, ...boots.map(({ keystore }) => keystore.signingKey.kid)]
    expect(new Set(kids).size).toBe(3)
    expect(boots.map(({ warnings }) => warnings)).toEqual([[], []])
    expect(boots.map(({ source }) => source)).toEqual([undefined, undefined])
    expect((await readdir(config.keysDir)).sort()).toEqual(ALL_FILES)
  })

  test('without preserved sessions, needs no folder', async () => {
    const config = { ...(await settings(false)), keysDir: '/nonexistent/keys' }
    expect((await open(config)).keystore.jwks.keys).toHaveLength(2)
  })
})
