import { expect, test } from '@jest/globals'
import { accessToken, refreshToken } from '../../server/token/claims.ts'
import { createVerifiedTokens, type VerifiedToken } from '../../server/token/verified-tokens.ts'
import { OWN_CLAIMS } from './fixtures.ts'

const claims = { ...OWN_CLAIMS, iss: 'https://auth.test', iat: 1, exp: 2, jti: 'token-1' }
const token: VerifiedToken<typeof claims> = { kind: accessToken, kid: 'a', claims }

test('a token is found by its whole text, and only as the kind that it was verified as', () => {
  const tokens = createVerifiedTokens()
  tokens.remember('a.b.c', token)
  expect(tokens.find('a.b.c', accessToken)).toBe(token)
  expect(tokens.find('a.b.d', accessToken)).toBeUndefined()
  expect(tokens.find('a.b.c', refreshToken)).toBeUndefined()
  expect([tokens.lookups.hits, tokens.lookups.misses]).toEqual([1, 2])
})

test('the least recently used token makes room', () => {
  const tokens = createVerifiedTokens(2)
  tokens.remember('a', token)
  tokens.remember('b', token)
  tokens.find('a', accessToken)
  tokens.remember('c', token)
  const known = ['a', 'b', 'c'].filter((jws) => tokens.find(jws, accessToken) !== undefined)
  expect(known).toEqual(['a', 'c'])
})

test('a token that is remembered again takes no room from others', () => {
  const tokens = createVerifiedTokens(2)
  for (const jws of ['a', 'b', 'b', 'b']) tokens.remember(jws, token)
  expect(tokens.find('a', accessToken)).toBe(token)
})

test('remembered claims are frozen, since later requests get them', () => {
  const tokens = createVerifiedTokens()
  const groups = ['readers']
  tokens.remember('a', { ...token, claims: Object.assign({ ...claims }, { groups }) })
  const found = tokens.find('a', accessToken)!.claims
  expect(() => Object.assign(found, { scope: 'user admin' })).toThrow(TypeError)
  expect(() => groups.push('admins')).toThrow(TypeError)
})

test('a token of more than 2048 characters is not remembered', () => {
  const tokens = createVerifiedTokens()
  const long = 'a'.repeat(2049)
  tokens.remember(long, token)
  expect(tokens.find(long, accessToken)).toBeUndefined()
  tokens.remember(long.slice(1), token)
  expect(tokens.find(long.slice(1), accessToken)).toBe(token)
})

test('can be forgotten', () => {
  const tokens = createVerifiedTokens()
  tokens.remember('a', token)
  tokens.clear()
  expect(tokens.find('a', accessToken)).toBeUndefined()
})
