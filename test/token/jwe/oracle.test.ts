/** Two implementations get the same hostile tokens: ours must accept nothing that jose refuses. */
import { beforeAll, describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import type { EncryptionAlg, EncryptionEnc } from '../../../protocol/algorithms.ts'
import { createKnownAgreements } from '../../../server/token/jwe/known-agreements.ts'
import { seal } from '../../../server/token/jwe/seal-jwe.ts'
import { TokenError } from '../../../server/errors/token-error.ts'
import { base64url } from '../fixtures.ts'
import { forgeJwe, joseOpen, keyFor, openJwe, type Crv } from './fixtures.ts'
import { changeOfHeader, changeOfToken, bytesOf } from './mutations.ts'

/** The number of mutated tokens; MUTATIONS sets it. */
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
const agreements = createKnownAgreements()

/** What our implementation reads, or `undefined`. Any error but a TokenError fails the test. */
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

describe.each(CASES)('%s, %s, %s', (alg, crv, enc, numRuns) => {
  const key = keyFor(alg, crv)
  let tokens: [string, string]
  beforeAll(() => {
    tokens = [seal('one', key, enc), seal('other', key, enc)]
  })

  test(`of ${numRuns} tokens with changed bytes, every one that differs is refused`, async () => {
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
    expect(refused).toBeGreaterThan(numRuns * 0.4)
  })

  test(`of ${numRuns} tokens with a changed header and a valid tag, none opens that jose refuses`, async () => {
    let accepted = 0
    await fc.assert(
      fc.asyncProperty(changeOfHeader, async (change) => {
        if (await accepts(forgeJwe(key, enc, { header: change }), key)) accepted += 1
      }),
      { numRuns },
    )
    // Otherwise this would show nothing.
    expect(accepted).toBeGreaterThan(numRuns * 0.05)
    expect(accepted).toBeLessThan(numRuns)
  })
})
