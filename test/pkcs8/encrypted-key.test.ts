import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { expect, test } from '@jest/globals'
import { Integer, ObjectIdentifier, OctetString, Sequence } from 'asn1js'
import fc from 'fast-check'
import { decodeEncryptedKey, encodeEncryptedKey } from '../../pkcs8/encrypted-key.ts'

const KEY = {
  salt: new Uint8Array(randomBytes(16)),
  scryptCost: { cost: 16_384, blockSize: 8, parallelization: 1 },
  iv: new Uint8Array(randomBytes(16)),
  ciphertext: new Uint8Array(randomBytes(144)),
}

test('encodes a key as DER, as in RFC 5958, RFC 8018 and RFC 7914', () => {
  const der = encodeEncryptedKey(KEY).toString('hex')
  const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
  const pbes2 = '06092a864886f70d01050d'
  const scrypt = '06092b06010401da47040b'
  const aes256cbc = '060960864801650304012a'
  expect(der).toBe(
    [
      '3081ec',
      '3057',
      pbes2,
      '304a',
      '3029',
      scrypt,
      '301c',
      `0410${hex(KEY.salt)}`,
      '02024000',
      '020108',
      '020101',
      '301d',
      aes256cbc,
      `0410${hex(KEY.iv)}`,
      `048190${hex(KEY.ciphertext)}`,
    ].join(''),
  )
})

test('decodes what it has encoded', () => {
  expect(decodeEncryptedKey(encodeEncryptedKey(KEY))).toEqual(KEY)
  const costly = { ...KEY, scryptCost: { cost: 2 ** 40, blockSize: 200, parallelization: 3 } }
  expect(decodeEncryptedKey(encodeEncryptedKey(costly))).toEqual(costly)
})

const seq = (...value: Sequence['valueBlock']['value']) => new Sequence({ value })
const oid = (value: string) => new ObjectIdentifier({ value })
const octets = (length: number) => new OctetString({ valueHex: new Uint8Array(length) })
const int = (value: number) => new Integer({ value })

function made({
  scheme = '1.2.840.113549.1.5.13',
  kdf = '1.3.6.1.4.1.11591.4.11',
  parameters = [octets(8), int(1024), int(8), int(1)] as Sequence['valueBlock']['value'],
  cipher = '2.16.840.1.101.3.4.1.42',
  iv = 16,
} = {}) {
  const pbes2 = seq(seq(oid(kdf), seq(...parameters)), seq(oid(cipher), octets(iv)))
  return Buffer.from(seq(seq(oid(scheme), pbes2), octets(32)).toBER())
}

test('accepts an explicit key length only if it is that of AES-256', () => {
  const parameters = [octets(8), int(1024), int(8), int(1)]
  expect(decodeEncryptedKey(made())?.scryptCost.cost).toBe(1024)
  expect(decodeEncryptedKey(made({ parameters: [...parameters, int(32)] }))?.scryptCost.cost).toBe(
    1024,
  )
  expect(decodeEncryptedKey(made({ parameters: [...parameters, int(16)] }))).toBeUndefined()
})

test.each<[string, () => Buffer]>([
  ['an empty text', () => Buffer.alloc(0)],
  ['another scheme', () => made({ scheme: '1.2.840.113549.1.5.3' })],
  ['another key derivation', () => made({ kdf: '1.2.840.113549.1.5.12' })],
  ['another cipher', () => made({ cipher: '2.16.840.1.101.3.4.1.2' })],
  ['an IV of another length', () => made({ iv: 8 })],
  ['missing parameters', () => made({ parameters: [octets(8), int(1024), int(8)] })],
  ['parameters of another type', () => made({ parameters: [int(8), int(8), int(8), int(1)] })],
  [
    'PBKDF2',
    () =>
      generateKeyPairSync('x25519').privateKey.export({
        ...({ type: 'pkcs8', format: 'der', cipher: 'aes-256-cbc' } as const),
        passphrase: 'x',
      }),
  ],
  [
    'a key that is not encrypted',
    () => generateKeyPairSync('x25519').privateKey.export({ type: 'pkcs8', format: 'der' }),
  ],
])('gives undefined for %s', (_name, der) => {
  expect(decodeEncryptedKey(der())).toBeUndefined()
})

test('decoding does not throw, whatever the damage', () => {
  const der = encodeEncryptedKey(KEY)
  // Among the bytes are tags of types whose content the library parses, such as GeneralizedTime.
  const bytes = fc.oneof(fc.nat(255), fc.constantFrom(0x02, 0x06, 0x09, 0x17, 0x18, 0x1e, 0x30))
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(100), bytes), { maxLength: 4 }), (changes) => {
      const damaged = Buffer.from(der)
      for (const [at, byte] of changes) damaged[at] = byte
      decodeEncryptedKey(damaged)
    }),
    { numRuns: 2000 },
  )
  const withTime = Buffer.from(der)
  expect(withTime[33]).toBe(0x04)
  withTime[33] = 0x18
  expect(decodeEncryptedKey(withTime)).toBeUndefined()
})
