/** A token that is changed anywhere is refused with `token_invalid`. */
import { beforeAll, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { verify } from '../../../client/token/verify.ts'
import { decrypt } from '../../../client/token/decrypt.ts'
import { codeOf } from '../../support/auth-client.ts'
import { setUpClient, type ClientFixture } from './fixtures.ts'

let fixture: ClientFixture
let jwe: string
let jws: string
beforeAll(async () => {
  fixture = await setUpClient()
  jwe = fixture.access()
  jws = await decrypt(jwe, fixture.key, 'JWT')
})

const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
const characters = fc.oneof(
  fc.constantFrom(...Array.from(BASE64URL)),
  fc.constantFrom(...Array.from('.=+/ \n\u00e9\0')),
)
const mutation = fc.record({
  at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
  what: fc.constantFrom('replace', 'insert', 'remove'),
  character: characters,
})

function mutate(
  token: string,
  { at, what, character }: { at: number; what: string; character: string },
) {
  const index = Math.floor(at * token.length)
  const [before, after] = [token.slice(0, index), token.slice(index + (what === 'insert' ? 0 : 1))]
  return before + (what === 'remove' ? '' : character) + after
}

test.each([
  ['JWE', () => jwe, (token: string) => fixture.open(token)],
  ['JWS', () => jws, (token: string) => verify(token, 'at+jwt', fixture.keys)],
])('a %s with any changed, added or removed character is refused', async (_name, token, open) => {
  expect(await open(token())).toBeDefined()
  await fc.assert(
    fc.asyncProperty(mutation, async (change) => {
      const mutated = mutate(token(), change)
      fc.pre(mutated !== token())
      expect(await codeOf(open(mutated))).toBe('token_invalid')
    }),
    { numRuns: 500 },
  )
})

test('a JWE with any changed bit in the last character of a part is refused', async () => {
  const parts = jwe.split('.')
  for (const index of parts.keys()) {
    const part = parts[index]!
    for (const bit of [1, 2, 4, 8, 16, 32]) {
      const last = BASE64URL[BASE64URL.indexOf(part.at(-1)!) ^ bit]!
      const mutated = parts.with(index, part.slice(0, -1) + last).join('.')
      expect(await codeOf(fixture.open(mutated))).toBe('token_invalid')
    }
  }
})

test('a JWE with a part of another token is refused', async () => {
  const other = fixture.access().split('.')
  for (const index of other.keys()) {
    const mixed = jwe.split('.').with(index, other[index]!).join('.')
    expect(await codeOf(fixture.open(mixed))).toBe('token_invalid')
  }
})
