import { describe, expect, test } from '@jest/globals'
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import fc from 'fast-check'
import { isEncrypted, parsePrivateKey, PemError } from '../../server/keystore/pem.ts'
import { ecKey, FORMS, opensslPem, PASSPHRASE, pkcs8, rsaKey } from './fixtures.ts'

/** Why `pem` gives no key. Anything but a PemError fails the test, as does success. */
async function faultOf(pem: string, passphrase?: string): Promise<string> {
  try {
    await parsePrivateKey(pem, passphrase)
  } catch (error) {
    if (error instanceof PemError) return error.fault
    throw error
  }
  throw new Error('It was read.')
}

const EC = ecKey()
const KEYS: [string, KeyObject][] = [
  ['EC P-256', EC],
  ['EC P-521', ecKey('P-521')],
  ['RSA', rsaKey()],
  ['Ed25519', generateKeyPairSync('ed25519').privateKey],
  ['X25519', generateKeyPairSync('x25519').privateKey],
]
const CASES = KEYS.flatMap(([name, key]) =>
  FORMS.filter((form) => form === 'pkcs8' || /EC|RSA/.test(name)).map(
    (form) => [name, form, key] as const,
  ),
)

describe.each(CASES)('%s in %s form, as openssl writes it', (_name, form, key) => {
  const plain = opensslPem(key, form)
  const encrypted = opensslPem(key, form, PASSPHRASE)

  test('is read', async () => {
    expect(isEncrypted(plain)).toBe(false)
    expect((await parsePrivateKey(plain, undefined)).equals(key)).toBe(true)
  })

  test('is read when there is a passphrase that it does not need', async () => {
    expect((await parsePrivateKey(plain, PASSPHRASE)).equals(key)).toBe(true)
  })

  test('is read with its passphrase', async () => {
    expect(isEncrypted(encrypted)).toBe(true)
    expect((await parsePrivateKey(encrypted, PASSPHRASE)).equals(key)).toBe(true)
  })

  test('is not read without its passphrase', async () => {
    expect(await faultOf(encrypted)).toBe('passphrase_missing')
  })

  test.each(['wrong', '', `${PASSPHRASE} `])(
    'is not read with the passphrase %j',
    async (passphrase) => {
      expect(await faultOf(encrypted, passphrase)).toBe('passphrase_wrong')
    },
  )

  test('is read with the line ends of Windows and text around it', async () => {
    const text = `A note\n${encrypted}\nAnother`.replaceAll(/\r?\n/g, '\r\n')
    expect((await parsePrivateKey(text, PASSPHRASE)).equals(key)).toBe(true)
  })

  test('is not read if it is truncated', async () => {
    expect(await faultOf(plain.slice(0, plain.length / 2))).toBe('corrupt')
  })

  test('is not read if one of its lines is missing', async () => {
    const lines = plain.trimEnd().split('\n')
    lines.splice(1, 1)
    expect(await faultOf(lines.join('\n'))).toBe('corrupt')
  })
})

test('ignores the parameters that `openssl ecparam -genkey` writes before an EC key', async () => {
  const parameters =
    '-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n'
  const key = await parsePrivateKey(parameters + opensslPem(EC, 'traditional'), undefined)
  expect(key.equals(EC)).toBe(true)
})

describe('a damaged encrypted PKCS#8 key is distinguished from a wrong passphrase', () => {
  const lines = pkcs8(rsaKey(), PASSPHRASE).trimEnd().split('\n')
  test.each<[string, string[]]>([
    ['truncated', lines.slice(0, 10)],
    ['truncated within a line', [...lines.slice(0, 10), lines[10]!.slice(0, 7)]],
    ['without its last line', lines.slice(0, -1)],
    ['without its middle', [...lines.slice(0, 8), ...lines.slice(9)]],
    ['without its body', [lines[0]!, lines.at(-1)!]],
  ])('%s', async (_name, damaged) => {
    expect(await faultOf(damaged.join('\n'), PASSPHRASE)).toBe('corrupt')
  })

  // Outer lengths in every form of DER (X.690 §8.1.3), and in invalid ones.
  test.each<[string, string, string]>([
    ['a short length that is right', '3000', 'passphrase_wrong'],
    ['a short length that is right, of two', '30020500', 'passphrase_wrong'],
    ['a short length that is wrong', '3003', 'corrupt'],
    ['a length of one byte that is right', '308100', 'passphrase_wrong'],
    ['a length of two bytes that is right', '308200020500', 'passphrase_wrong'],
    ['a length of two bytes that is wrong', '30820500', 'corrupt'],
    ['a length of four bytes that is right', '3084000000020500', 'passphrase_wrong'],
    ['a length of five bytes', '308500000000020500', 'corrupt'],
    ['a length that is cut off', '3082', 'corrupt'],
    ['no length at all', '30', 'corrupt'],
    ['an indefinite length', '30800000', 'corrupt'],
    ['an indefinite length and nothing after', '3080', 'corrupt'],
    ['not a sequence', '0400', 'corrupt'],
  ])('%s', async (_name, hex, fault) => {
    const body = Buffer.from(hex, 'hex').toString('base64')
    const pem = `${lines[0]}\n${body}\n${lines.at(-1)}\n`
    expect(await faultOf(pem, PASSPHRASE)).toBe(fault)
  })
})

test.each<[string, () => string, string]>([
  ['an empty text', () => '', 'corrupt'],
  ['blank lines', () => '\n\n', 'corrupt'],
  ['prose', () => 'my key', 'corrupt'],
  ['bytes', () => '\0\u0001\ufffd', 'corrupt'],
  ['a JWK', () => JSON.stringify(EC.export({ format: 'jwk' })), 'corrupt'],
  ['a key without its first line', () => pkcs8(EC).split('\n').slice(1).join('\n'), 'corrupt'],
  ['a key that is not base64', () => pkcs8(EC).replace(/\n.*\n/, '\n!!!!\n'), 'corrupt'],
  [
    'a key without a body',
    () => '-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n',
    'corrupt',
  ],
  ['a certificate request', () => '-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n', 'corrupt'],
  [
    'an encrypted key of garbage',
    () => '-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n',
    'corrupt',
  ],
  ['a public key', () => publicPem('spki'), 'public'],
  ['a public RSA key of the older form', () => publicPem('pkcs1'), 'public'],
  [
    'a certificate',
    () => '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
    'public',
  ],
])('%s is not a private key', async (_name, make, fault) => {
  expect(await faultOf(make(), PASSPHRASE)).toBe(fault)
})

function publicPem(type: 'spki' | 'pkcs1'): string {
  return generateKeyPairSync('rsa', { modulusLength: 2048 })
    .publicKey.export({ type, format: 'pem' })
    .toString()
}

test('the error quotes nothing of the text', async () => {
  const pem = pkcs8(EC).slice(0, 120)
  try {
    await parsePrivateKey(pem, 'my passphrase')
    throw new Error('It was read.')
  } catch (error) {
    expect(error).toMatchObject({ name: 'PemError', message: 'corrupt' })
    expect((error as Error).cause).toBeUndefined()
  }
})

test('any damage to an encrypted key gives the key or a PemError', async () => {
  const pem = pkcs8(EC, 'pass')
  await fc.assert(
    fc.asyncProperty(fc.nat(pem.length), fc.nat(12), fc.string(), async (at, count, text) => {
      const damaged = pem.slice(0, at) + text + pem.slice(at + count)
      try {
        // Damage to nothing but line ends or text around the key leaves it readable.
        expect((await parsePrivateKey(damaged, 'pass')).equals(EC)).toBe(true)
      } catch (error) {
        expect(error).toBeInstanceOf(PemError)
      }
    }),
    { numRuns: 500 },
  )
})
