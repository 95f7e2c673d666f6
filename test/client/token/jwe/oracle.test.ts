/** The client and jose get the same mutated tokens: the client must accept nothing that jose refuses. */
import { beforeAll, describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import type { EncryptionAlg, EncryptionEnc } from '../../../../protocol/algorithms.ts'
import { hasCode } from '../../../../client/errors.ts'
import type { ClientKey } from '../../../../client/keys/client-key.ts'
import { base64url } from '../../../token/fixtures.ts'
import { forgeJwe, joseOpen, keyFor, type Crv, type TestKey } from '../../../token/jwe/fixtures.ts'
import { bytesOf, changeOfHeader, changeOfToken } from '../../../token/jwe/mutations.ts'
import { clientKeyFor, openText, recipientOf, sealTo } from './fixtures.ts'

/** The number of mutated tokens. The variable MUTATIONS changes it. */
const MANY = Number(process.env['MUTATIONS'] ?? 200)
/** Each `alg`, curve and `enc` at least once. Slow curves get fewer runs. */
const CASES: [EncryptionAlg, Crv, EncryptionEnc, number][] = [
  ['ECDH-ES+A128KW', 'P-256', 'A128GCM', MANY],
  ['ECDH-ES+A256KW', 'X25519', 'A256CBC-HS512', MANY],
  ['ECDH-ES', 'P-256', 'A128CBC-HS256', MANY],
  ['ECDH-ES+A128KW', 'P-384', 'A256GCM', MANY / 4],
  ['ECDH-ES', 'P-521', 'A128GCM', MANY / 4],
  ['RSA-OAEP-256', undefined, 'A128GCM', MANY / 4],
]

describe.each(CASES)('%s, %s, %s', (alg, crv, enc, numRuns) => {
  const key: TestKey = keyFor(alg, crv)
  let own: ClientKey
  let tokens: string[]
  beforeAll(async () => {
    own = await clientKeyFor(alg, crv)
    tokens = await Promise.all(['one', 'other'].map((text) => sealTo(recipientOf(key), enc, text)))
  })

  /** Whether the client accepts the token. If it does, jose must read the same. */
  async function accepts(jwe: string): Promise<boolean> {
    const text = await openText(jwe, own, alg).catch((error: unknown) => {
      // Any other error is a bug.
      if (!hasCode(error, 'token_invalid')) throw error
    })
    if (text === undefined) return false
    expect(await joseOpen(jwe, key)).toBe(text)
    return true
  }

  test(`none of ${numRuns} tokens with changed bytes opens`, async () => {
    let refused = 0
    await fc.assert(
      fc.asyncProperty(changeOfToken, async (changes) => {
        const parts = tokens.map((token): Buffer[] => token.split('.').map(bytesOf))
        for (const [index, change] of changes) {
          parts[0]![index] = change(parts[0]![index]!, parts[1]![index]!)
        }
        const jwe = parts[0]!.map((part) => base64url(part)).join('.')
        const isChanged = !tokens.includes(jwe)
        expect({ jwe, isAccepted: await accepts(jwe) }).toEqual({ jwe, isAccepted: !isChanged })
        if (isChanged) refused += 1
      }),
      { numRuns },
    )
    expect(refused).toBeGreaterThan(numRuns * 0.4)
  })

  test(`of ${numRuns} tokens with a valid tag, none opens that jose refuses`, async () => {
    let accepted = 0
    await fc.assert(
      fc.asyncProperty(changeOfHeader, async (change) => {
        if (await accepts(forgeJwe(key, enc, { header: change }))) accepted += 1
      }),
      { numRuns },
    )
    // Both outcomes must occur, or the test shows nothing.
    expect(accepted).toBeGreaterThan(numRuns * 0.03)
    expect(accepted).toBeLessThan(numRuns)
  })
})
