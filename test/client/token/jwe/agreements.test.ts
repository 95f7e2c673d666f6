import { createPublicKey, diffieHellman, generateKeyPairSync, type JsonWebKey } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { decodeProtectedHeader } from 'jose'
import { utf8 } from '../../../../client/bytes.ts'
import { Agreements } from '../../../../client/token/jwe/agreements.ts'
import type { Recipient } from '../../../../client/token/jwe/seal-jwe.ts'
import { seal } from '../../../../client/token/seal.ts'
import { deriveKey } from '../../../../server/token/jwe/key-derivation.ts'
import { toWrappingKey, unwrapKey } from '../../../../server/token/jwe/key-wrap.ts'
import { codeOf } from '../../../support/auth-client.ts'
import { createKey, keyFor, textOf } from '../../../token/jwe/fixtures.ts'
import { recipientOf } from './fixtures.ts'

const MINUTE = 60_000
const ALG = 'ECDH-ES+A128KW'
const key = keyFor(ALG, 'P-256')
const recipient = recipientOf(key)
const WEAK_RSA = generateKeyPairSync('rsa', { modulusLength: 1024 })

let now: number
let agreements: Agreements
beforeEach(() => {
  now = 1_800_000_000_000
  agreements = new Agreements(() => now)
})
afterEach(() => {
  jest.restoreAllMocks()
})

/** A token sealed to a recipient; by default always the same one, in the same session. */
const sealed = (to: Recipient = recipient, sessionId = 'session') =>
  seal(agreements, utf8('a.b.c'), {
    cty: 'JWT',
    key: to,
    enc: 'A128GCM',
    sessionId,
    req: () => Promise.resolve({ jti: 'one', iat: 0, htm: 'GET', htu: 'https://auth.test/' }),
  })
const epkOf = (jwe: string) => JSON.stringify(decodeProtectedHeader(jwe)['epk'])
const ephemeral = async (...args: Parameters<typeof sealed>) => epkOf(await sealed(...args))

describe('tokens of one session to one key', () => {
  test('share an ephemeral key, but no content key, IV or tag', async () => {
    const tokens = await Promise.all(Array.from({ length: 20 }, () => sealed()))
    expect(new Set(tokens.map(epkOf)).size).toBe(1)
    for (const jwe of tokens) expect(textOf(jwe, key)).toBe('a.b.c')
    const { epk } = decodeProtectedHeader(tokens[0]!)
    const publicKey = createPublicKey({ key: epk as JsonWebKey, format: 'jwk' })
    const secret = diffieHellman({ privateKey: key.privateKey, publicKey })
    const wrappingKey = toWrappingKey(deriveKey(secret, { algorithm: ALG, length: 16 }))
    const contentKeys = tokens.map((jwe) =>
      unwrapKey(wrappingKey, Buffer.from(jwe.split('.')[1]!, 'base64url'))!.toString('hex'),
    )
    expect(new Set(contentKeys).size).toBe(20)
    for (const part of [1, 2, 3, 4]) {
      expect(new Set(tokens.map((jwe) => jwe.split('.')[part])).size).toBe(20)
    }
  })

  test('that are sealed concurrently make one agreement', async () => {
    const generateKey = jest.spyOn(crypto.subtle, 'generateKey')
    await Promise.all([sealed(), sealed(), sealed()])
    await sealed()
    expect(generateKey).toHaveBeenCalledTimes(1)
  })

  test('share an ephemeral key for five minutes', async () => {
    const first = await ephemeral()
    now += 5 * MINUTE - 1
    expect(await ephemeral()).toBe(first)
    now += 1
    const second = await ephemeral()
    expect(second).not.toBe(first)
    // The time counts from its creation, not from its last use.
    now += 5 * MINUTE - 1
    expect(await ephemeral()).toBe(second)
  })

  test('stop sharing an ephemeral key when the clock goes back', async () => {
    const first = await ephemeral()
    now -= 1
    expect(await ephemeral()).not.toBe(first)
  })

  test('share an ephemeral key at most a thousand times', async () => {
    const taken = Array.from({ length: 1001 }, () => agreements.take(recipient, 'session'))
    const epks = (await Promise.all(taken)).map((agreement) => agreement?.epk.x)
    expect(new Set(epks.slice(0, 1000)).size).toBe(1)
    expect(epks[1000]).not.toBe(epks[0])
  })
})

test('another key, algorithm or session gets another agreement', async () => {
  const epks = [
    await ephemeral(),
    await ephemeral({ ...recipientOf(createKey(ALG, 'P-256')), kid: 'rotated' }),
    await ephemeral({ ...recipient, alg: 'ECDH-ES+A256KW' }),
    await ephemeral(recipient, 'other session'),
  ]
  expect(new Set(epks).size).toBe(4)
  expect(await ephemeral()).toBe(epks[0])
})

test('a failed agreement is tried again', async () => {
  const failure = new DOMException('no memory', 'OperationError')
  jest.spyOn(crypto.subtle, 'deriveBits').mockRejectedValueOnce(failure)
  expect(await Promise.all([codeOf(sealed()), codeOf(sealed())])).toEqual([
    'bad_answer',
    'bad_answer',
  ])
  expect(textOf(await sealed(), key)).toBe('a.b.c')
})

test('the agreed key can only wrap, and no private key can be exported', async () => {
  const generateKey = jest.spyOn(crypto.subtle, 'generateKey')
  const agreement = await agreements.take(recipient, 'session')
  expect(agreement?.wrappingKey).toMatchObject({ extractable: false, usages: ['wrapKey'] })
  const { privateKey } = (await generateKey.mock.results[0]!.value) as CryptoKeyPair
  expect(privateKey.extractable).toBe(false)
  expect(Object.keys(agreement!).sort()).toEqual(['epk', 'wrappingKey'])
  expect(Object.keys(agreement!.epk)).toEqual(['crv', 'kty', 'x', 'y'])
})

test('direct key agreement uses a new ephemeral key for each token', async () => {
  const direct = recipientOf(keyFor('ECDH-ES', 'P-256'))
  const tokens = await Promise.all([sealed(direct), sealed(direct)])
  expect(new Set(tokens.map(epkOf)).size).toBe(2)
  for (const jwe of tokens) expect(textOf(jwe, keyFor('ECDH-ES', 'P-256'))).toBe('a.b.c')
})

test('RSA uses no ephemeral key', async () => {
  const rsa = keyFor('RSA-OAEP-256', undefined)
  const jwe = await sealed(recipientOf(rsa))
  expect(epkOf(jwe)).toBeUndefined()
  expect(textOf(jwe, rsa)).toBe('a.b.c')
})

test.each<[string, Recipient]>([
  ['a point off the curve', { ...recipient, x: recipient.y! }],
  ['an unknown curve', { ...recipient, crv: 'secp256k1' }],
  ['a point of low order', { ...recipientOf(keyFor(ALG, 'X25519')), x: 'A'.repeat(43) }],
  ['a weak RSA key', recipientOf({ ...key, alg: 'RSA-OAEP-256', ...WEAK_RSA })],
])('a recipient key with %s is refused', async (_name, unusable) => {
  expect(await codeOf(sealed(unusable))).toBe('bad_answer')
})

test("a fault of the runtime is thrown as it is, not blamed on the recipient's key", async () => {
  jest.spyOn(crypto.subtle, 'deriveBits').mockRejectedValueOnce(new RangeError('no memory'))
  await expect(sealed()).rejects.toBeInstanceOf(RangeError)
})
