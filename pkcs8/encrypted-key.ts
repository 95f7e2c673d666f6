/**
 * The file format of an encrypted private key: EncryptedPrivateKeyInfo (RFC 5958 §3) with PBES2
 * (RFC 8018 §A.4), scrypt (RFC 7914 §7) and AES-256-CBC.
 */
import { Integer, ObjectIdentifier, OctetString, Sequence, verifySchema } from 'asn1js'
import type { ScryptCost } from './scrypt.ts'

export interface EncryptedKey {
  readonly salt: Uint8Array
  readonly scryptCost: ScryptCost
  readonly iv: Uint8Array
  readonly ciphertext: Uint8Array
}

const PBES2 = '1.2.840.113549.1.5.13'
const SCRYPT = '1.3.6.1.4.1.11591.4.11'
const AES_256_CBC = '2.16.840.1.101.3.4.1.42'
/** Bytes of AES-CBC's initialization vector. */
export const IV_LENGTH = 16

type Block = Sequence | ObjectIdentifier | OctetString | Integer
const sequence = (...value: Block[]) => new Sequence({ value })

/** @returns DER. */
export function encodeEncryptedKey({ salt, scryptCost, iv, ciphertext }: EncryptedKey): Buffer {
  const { cost, blockSize, parallelization } = scryptCost
  const oid = (value: string) => new ObjectIdentifier({ value })
  const octets = (valueHex: Uint8Array) => new OctetString({ valueHex })
  const numbers = [cost, blockSize, parallelization].map((value) => new Integer({ value }))
  const kdf = sequence(oid(SCRYPT), sequence(octets(salt), ...numbers))
  const cipher = sequence(oid(AES_256_CBC), octets(iv))
  const pbes2 = sequence(oid(PBES2), sequence(kdf, cipher))
  return Buffer.from(sequence(pbes2, octets(ciphertext)).toBER())
}

const oid = (name: string) => new ObjectIdentifier({ name })
const octets = (name: string) => new OctetString({ name })
const integer = (name: string) => new Integer({ name })
const SCHEMA = sequence(
  sequence(
    oid('scheme'),
    sequence(
      sequence(
        oid('kdf'),
        sequence(
          ...[octets('salt'), integer('cost'), integer('blockSize'), integer('parallelization')],
          new Integer({ name: 'keyLength', optional: true }),
        ),
      ),
      sequence(oid('cipher'), octets('iv')),
    ),
  ),
  octets('ciphertext'),
)

/** The blocks that SCHEMA names. */
interface Found
  extends
    Record<'scheme' | 'kdf' | 'cipher', ObjectIdentifier>,
    Record<'salt' | 'iv' | 'ciphertext', OctetString>,
    Record<'cost' | 'blockSize' | 'parallelization', Integer> {
  readonly keyLength?: Integer
}

/** Reads DER. Returns `undefined` for anything but a key that is encrypted in this format. */
export function decodeEncryptedKey(der: Uint8Array): EncryptedKey | undefined {
  const found = parse(der)
  if (found === undefined) return undefined
  const algorithms = [found.scheme, found.kdf, found.cipher].map((block) => block.getValue())
  if (algorithms.join() !== [PBES2, SCRYPT, AES_256_CBC].join()) return undefined
  if (found.keyLength !== undefined && number(found.keyLength) !== 32) return undefined
  const iv = bytes(found.iv)
  if (iv.length !== IV_LENGTH) return undefined
  return {
    salt: bytes(found.salt),
    scryptCost: {
      cost: number(found.cost),
      blockSize: number(found.blockSize),
      parallelization: number(found.parallelization),
    },
    iv,
    ciphertext: bytes(found.ciphertext),
  }
}

const bytes = (block: OctetString) => new Uint8Array(block.getValue())
const number = (block: Integer) => Number(block.toBigInt())

function parse(der: Uint8Array): Found | undefined {
  try {
    // Makes a copy, because the library keeps views of its input.
    const { verified, result } = verifySchema(Uint8Array.from(der), SCHEMA)
    return verified ? (result as unknown as Found) : undefined
  } catch {
    // The library throws if damaged bytes happen to contain a GeneralizedTime.
    return undefined
  }
}
