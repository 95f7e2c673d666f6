/** Two implementations get the same hostile tokens: ours must accept nothing that jose refuses. */
import { beforeAll, describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import type { EncryptionAlg, EncryptionEnc } from '../../../protocol/algorithms.ts'
import { createAgreements } from '../../../server/token/jwe/agreements.ts'
import { seal } from '../../../server/token/jwe/seal-jwe.ts'
import { TokenError } from '../../../server/errors/token-error.ts'
import { base64url, withStrayBit } from '../fixtures.ts'
import { forgeJwe, joseOpen, keyFor, openJwe, type Crv } from './fixtures.ts'

/** How many mutated tokens; MUTATIONS says more. */
const MANY = Number(process.env['MUTATIONS'] ?? 200)
/** Each `alg`, curve and `enc` at least once; the curves that are slow in fewer runs. */
const CASES: [EncryptionAlg, Crv, EncryptionEnc, number][] = [
  ['ECDH-ES+A128KW', 'P-256', 'A128GCM', MANY],
  ['ECDH-ES+A256KW', 'X25519', 'A256CBC-HS512', MANY],
  ['ECDH-ES', 'P-256', 'A128CBC-HS256', MANY],
  ['ECDH-ES', 'X25519', 'A256GCM', MANY],
  ['ECDH-ES+A128KW', 'P-384', 'A256GCM', MANY / 4],
  ['ECDH-ES+A256KW', 'P-521', 'A128GCM', MANY / 4],
  ['RSA-OAEP-256', undefined, 'A128GCM', MANY / 4],
]

type Key = ReturnType<typeof keyFor>
/** Remembers every agreement that a token opened with, as no server would. */
const agreements = createAgreements(() => 0)

/** What ours reads, or `undefined`. A fault that is no TokenError fails the test. */
function ours(jwe: string, key: Key): string | undefined {
  try {
    const { plaintext, agreement } = openJwe(jwe, key, agreements)
    if (agreement !== undefined) agreements.remember('client', agreement)
    return plaintext.toString()
  } catch (error) {
    if (error instanceof TokenError) return undefined
    throw error
  }
}

/** Whether ours accepts the token. If it does, jose must read the same. */
async function accepts(jwe: string, key: Key): Promise<boolean> {
  const text = ours(jwe, key)
  if (text === undefined) return false
  expect(await joseOpen(jwe, key)).toBe(text)
  return true
}

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
const changeOfToken = fc.array(fc.tuple(fc.nat(4), changeOfBytes), { minLength: 1, maxLength: 2 })

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
const bytesOf = (text: string) => Buffer.from(text, 'base64url')
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
const header = fc.oneof(
  party.map((more) => (due: Record<string, unknown>) => ({ ...due, ...more })),
  members.map((more) => (due: Record<string, unknown>) => ({ ...due, ...more })),
  epkChange.map(({ x, y, more }) => (due: Record<string, unknown>) => {
    const epk = due['epk'] as { x: string; y?: string } | undefined
    if (epk === undefined) return { ...due, ...more }
    const changed = { ...epk, x: x(epk.x), ...(epk.y === undefined ? {} : { y: y(epk.y) }) }
    return { ...due, epk: { ...changed, ...more } }
  }),
)

describe.each(CASES)('%s, %s, %s', (alg, crv, enc, numRuns) => {
  const key = keyFor(alg, crv)
  let tokens: [string, string]
  beforeAll(() => {
    tokens = [seal('one', key, enc), seal('other', key, enc)]
  })

  test(`of ${numRuns} tokens with changed bytes, none opens that jose refuses`, async () => {
    let refused = 0
    await fc.assert(
      fc.asyncProperty(changeOfToken, async (changes) => {
        const parts = tokens.map((token): Buffer[] => token.split('.').map(bytesOf))
        for (const [index, change] of changes) {
          parts[0]![index] = change(parts[0]![index]!, parts[1]![index]!)
        }
        const jwe = parts[0]!.map((part) => base64url(part)).join('.')
        const isChanged = !tokens.includes(jwe)
        const isAccepted = await accepts(jwe, key)
        expect({ jwe, isAccepted }).toEqual({ jwe, isAccepted: !isChanged })
        if (isChanged) refused += 1
      }),
      { numRuns },
    )
    expect(refused).toBeGreaterThan(numRuns * 0.7)
  })

  test(`of ${numRuns} tokens whose tag is right, none opens that jose refuses`, async () => {
    let accepted = 0
    await fc.assert(
      fc.asyncProperty(header, async (change) => {
        if (await accepts(forgeJwe(key, enc, { header: change }), key)) accepted += 1
      }),
      { numRuns },
    )
    // Otherwise this would show nothing.
    expect(accepted).toBeGreaterThan(numRuns * 0.05)
    expect(accepted).toBeLessThan(numRuns * 0.9)
  })
})
