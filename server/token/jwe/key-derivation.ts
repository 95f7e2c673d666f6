import { hash } from 'node:crypto'
import { decodeCanonical } from './base64url.ts'
import { invalid } from '../../errors/token-error.ts'

/** Information on the two parties, mixed into the derived key (RFC 7518 §4.6.1.2, §4.6.1.3). */
export interface PartyInfo {
  readonly apu?: Buffer | undefined
  readonly apv?: Buffer | undefined
}

/**
 * The `apu` and `apv` header parameters, both optional.
 *
 * @throws TokenError unless each is canonical base64url and they differ (RFC 7518 §4.6.2).
 */
export function parsePartyInfo(header: Readonly<Record<string, unknown>>): PartyInfo {
  const { apu, apv } = header
  if (apu !== undefined && apu === apv) throw invalid('jwe_header')
  return { apu: decode(apu), apv: decode(apv) }
}

function decode(value: unknown): Buffer | undefined {
  if (value === undefined) return undefined
  const bytes = typeof value === 'string' ? decodeCanonical(value) : undefined
  if (bytes === undefined) throw invalid('jwe_header')
  return bytes
}

/** What a derived key is for (RFC 7518 §4.6.2). */
export interface DerivedKey extends PartyInfo {
  /** The `alg` of a key that wraps others, the `enc` of one that encrypts the content. */
  readonly algorithm: string
  /** Bytes. */
  readonly length: number
}

/**
 * Concat KDF (NIST SP 800-56A §5.8.1) with SHA-256 and the OtherInfo of RFC 7518 §4.6.2.
 *
 * @param secret The shared secret Z.
 */
export function deriveKey(secret: Buffer, { algorithm, length, apu, apv }: DerivedKey): Buffer {
  const otherInfo = Buffer.concat([
    ...lengthPrefixed(Buffer.from(algorithm)),
    ...lengthPrefixed(apu),
    ...lengthPrefixed(apv),
    uint32(length * 8),
  ])
  const rounds = Array.from({ length: Math.ceil(length / 32) }, (_, index) =>
    hash('sha256', Buffer.concat([uint32(index + 1), secret, otherInfo]), 'buffer'),
  )
  return Buffer.concat(rounds).subarray(0, length)
}

const lengthPrefixed = (data: Buffer = Buffer.alloc(0)): Buffer[] => [uint32(data.length), data]

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}
