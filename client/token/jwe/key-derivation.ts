import { concat, decodeBase64url, utf8, type Bytes } from '../../bytes.ts'
import type { Json } from '../../json.ts'
import { invalid } from '../../token-error.ts'

/** Information on the two parties, mixed into the derived key (RFC 7518 §4.6.1.2, §4.6.1.3). */
export interface PartyInfo {
  readonly apu?: Bytes | undefined
  readonly apv?: Bytes | undefined
}

/**
 * The `apu` and `apv` header parameters, both optional.
 *
 * @throws AuthError `token_invalid` unless each is base64url and they differ (RFC 7518 §4.6.2).
 */
export function parsePartyInfo({ apu, apv }: Json): PartyInfo {
  if (apu !== undefined && apu === apv) throw invalid('jwe_header')
  return { apu: decode(apu), apv: decode(apv) }
}

function decode(value: unknown): Bytes | undefined {
  if (value === undefined) return undefined
  const bytes = typeof value === 'string' ? decodeBase64url(value) : undefined
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
export async function deriveKey(
  secret: Bytes,
  { algorithm, length, apu, apv }: DerivedKey,
): Promise<Bytes> {
  const otherInfo = concat(
    ...lengthPrefixed(utf8(algorithm)),
    ...lengthPrefixed(apu),
    ...lengthPrefixed(apv),
    uint32(length * 8),
  )
  const rounds = Array.from({ length: Math.ceil(length / 32) }, (_, index) =>
    crypto.subtle.digest('SHA-256', concat(uint32(index + 1), secret, otherInfo)),
  )
  const hashes = await Promise.all(rounds)
  return concat(...hashes.map((hash) => new Uint8Array(hash))).slice(0, length)
}

const lengthPrefixed = (data: Bytes = new Uint8Array()): Bytes[] => [uint32(data.length), data]

function uint32(value: number): Bytes {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, value)
  return bytes
}
