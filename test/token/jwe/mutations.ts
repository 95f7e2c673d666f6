/** Hostile changes to a JWE: to its bytes, or to the header that it is made with. */
import fc from 'fast-check'
import { base64url, withStrayBit } from '../fixtures.ts'

type Bytes = (bytes: Buffer, other: Buffer) => Buffer
const fraction = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
const changeOfBytes: fc.Arbitrary<Bytes> = fc.oneof(
  fc.tuple(fraction, fc.nat(7)).map(([where, bit]): Bytes => (bytes) => {
    const changed = Buffer.from(bytes)
    if (changed.length > 0) changed[Math.floor(changed.length * where)]! ^= 1 << bit
    return changed
  }),
  fraction.map(
    (where): Bytes =>
      (bytes) =>
        bytes.subarray(0, bytes.length * where),
  ),
  fraction.map(
    (where): Bytes =>
      (bytes) =>
        bytes.subarray(bytes.length * where),
  ),
  fc.uint8Array({ maxLength: 40 }).map(
    (more): Bytes =>
      (bytes) =>
        Buffer.concat([bytes, more]),
  ),
  fc.uint8Array({ maxLength: 80 }).map(
    (given): Bytes =>
      () =>
        Buffer.from(given),
  ),
  fc.constant<Bytes>((_bytes, other) => other),
)
/** Which parts to change, and how. */
export const changeOfToken = fc.array(fc.tuple(fc.nat(4), changeOfBytes), {
  minLength: 1,
  maxLength: 2,
})

/** Names that either implementation reads, and values from harmless to absurd. */
const partyInfo = fc.constantFrom('', 'QQ', 'QR', 'QQ==', 'Q Q', '+w', 'Qg', 'QWxpY2U')
const value = fc.oneof(partyInfo, fc.constantFrom(null, 1, true, [], {}), fc.jsonValue())
const name = fc.constantFrom(
  ...['alg', 'enc', 'kid', 'cty', 'typ', 'epk', 'zip', 'crit', 'b64', 'jwk', 'apu', 'apv'],
  ...['p2c', 'p2s', 'iv', 'tag', 'x5c', '__proto__', 'constructor', 'other'],
)
const party = fc.record({ apu: partyInfo, apv: partyInfo }, { requiredKeys: [] })
const members = fc.dictionary(name, value, { minKeys: 1, maxKeys: 2 })

type Coordinate = (text: string) => unknown
export const bytesOf = (text: string) => Buffer.from(text, 'base64url')
const coordinate = fc.constantFrom<Coordinate>(
  (text) => text,
  (text) => (text.length % 4 === 0 ? text : withStrayBit(text)),
  (text) => `${text}=`,
  (text) => ` ${text}`,
  (text) => bytesOf(text).toString('base64'),
  (text) => base64url(Buffer.concat([Buffer.alloc(1), bytesOf(text)])),
  (text) => base64url(bytesOf(text).subarray(bytesOf(text)[0] === 0 ? 1 : 0)),
  // On X25519 the highest bit does not count (RFC 7748 §5).
  (text) => {
    const bytes = bytesOf(text)
    bytes[bytes.length - 1]! ^= 0x80
    return base64url(bytes)
  },
  () => 1,
  () => '',
)
const epkMember = fc.constantFrom(
  ...['kty', 'crv', 'y', 'ext', 'key_ops', 'use', 'alg', 'kid', 'x5c'],
  ...['d', 'k', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'priv', '__proto__'],
)
const epkValue = fc.oneof(
  fc.constantFrom('EC', 'OKP', 'P-256', 'X25519', 'enc', 'sig', '', null, true, false),
  fc.constantFrom<unknown>(['deriveBits'], [], ['deriveKey', 'deriveKey'], {}),
  fc.jsonValue(),
)
const epkChange = fc.record({
  x: coordinate,
  y: coordinate,
  more: fc.dictionary(epkMember, epkValue, { maxKeys: 1 }),
})
/** Maps the correct header to another one. */
export const changeOfHeader = fc.oneof(
  party.map((more) => (due: Record<string, unknown>) => ({ ...due, ...more })),
  members.map((more) => (due: Record<string, unknown>) => ({ ...due, ...more })),
  epkChange.map(({ x, y, more }) => (due: Record<string, unknown>) => {
    const epk = due['epk'] as { x: string; y?: string } | undefined
    if (epk === undefined) return { ...due, ...more }
    const changed = { ...epk, x: x(epk.x), ...(epk.y === undefined ? {} : { y: y(epk.y) }) }
    return { ...due, epk: { ...changed, ...more } }
  }),
)
