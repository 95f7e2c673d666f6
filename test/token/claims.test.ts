import { describe, expect, test } from '@jest/globals'
import { calculateJwkThumbprint } from 'jose'
import {
  accessToken,
  anyAccessToken,
  refreshToken,
  serviceToken,
} from '../../server/token/claims.ts'

const REGISTERED = { iss: 'i', sub: 's', aud: 'c', iat: 1, exp: 2, jti: 'j' }
const SESSION = { ...REGISTERED, client_id: 'c', sid: 'x' }
const KINDS = [
  { name: 'access', kind: accessToken, claims: { ...SESSION, scope: 'user' } },
  { name: 'refresh', kind: refreshToken, claims: SESSION },
]
const MEMBERS = KINDS.flatMap(({ claims, ...rest }) =>
  Object.keys(claims).map((member) => ({ ...rest, claims, member })),
)

test('every kind has a typ of its own', () => {
  expect(KINDS.map(({ kind }) => kind.typ)).toEqual(['at+jwt', 'rt+jwt'])
})

test.each(KINDS)('$name: accepts its claims, and no others', ({ kind, claims }) => {
  expect(kind.claims.parse(claims)).toEqual(claims)
  expect(kind.claims.safeParse({ ...claims, extra: 1 }).success).toBe(false)
})

test.each(MEMBERS)('$name: $member is required, and of one type', ({ kind, claims, member }) => {
  const isTime = member === 'iat' || member === 'exp'
  const wrong = [undefined, null, [], {}, true, isTime ? '1' : 1, isTime ? 1.5 : ['c']]
  for (const value of wrong) {
    expect(kind.claims.safeParse({ ...claims, [member]: value }).success).toBe(false)
  }
})

test.each(KINDS)('$name: gen is a positive integer or absent', ({ kind, claims }) => {
  expect(kind.claims.parse({ ...claims, gen: 3 })).toEqual({ ...claims, gen: 3 })
  for (const gen of [0, -1, 1.5, '1', null, true, [1]]) {
    expect(kind.claims.safeParse({ ...claims, gen }).success).toBe(false)
  }
})

test.each(KINDS)('$name: aud must be the client_id', ({ kind, claims }) => {
  expect(kind.claims.safeParse({ ...claims, aud: 'another' }).success).toBe(false)
})

test('access: scope may be empty', () => {
  const claims = { ...SESSION, scope: '' }
  expect(accessToken.claims.parse(claims)).toEqual(claims)
})

describe.each(KINDS)('$name: the key in cnf', ({ kind, claims }) => {
  const jwk = { kty: 'EC', crv: 'P-256', x: 'AAAA', y: 'BBBB' }
  const isAccepted = async (cnf: unknown, key: object = jwk) => {
    const id = await calculateJwkThumbprint(key)
    return kind.claims.safeParse({ ...claims, aud: id, client_id: id, cnf }).success
  }

  test('must have the client_id as its thumbprint', async () => {
    expect(await isAccepted({ jwk })).toBe(true)
    const okp = { kty: 'OKP', crv: 'X25519', x: 'AAAA' }
    expect(await isAccepted({ jwk: okp }, okp)).toBe(true)
    expect(await isAccepted({ jwk: okp })).toBe(false)
    expect(await isAccepted({ jwk: { ...jwk, y: 'CCCC' } })).toBe(false)
  })

  test.each<[string, unknown]>([
    ['null', null],
    ['a string', 'x'],
    ['an empty object', {}],
    ['a jkt beside it', { jwk, jkt: 'x' }],
    ['a key with more members', { jwk: { ...jwk, use: 'enc' } }],
    ['a key with fewer members', { jwk: { ...jwk, crv: undefined } }],
    ['a member that is not a string', { jwk: { ...jwk, y: 1 } }],
  ])('is refused: %s', async (_, cnf) => {
    expect(await isAccepted(cnf)).toBe(false)
  })
})

describe('a service token', () => {
  const jwk = { kty: 'EC', crv: 'P-256', x: 'AAAA', y: 'BBBB' }
  const claimsOf = async (changes: object = {}) => {
    const id = await calculateJwkThumbprint(jwk)
    const { iss, iat, exp, jti } = REGISTERED
    const own = { sub: id, aud: id, client_id: id, scope: 'notes', cnf: { jwk } }
    return { iss, iat, exp, jti, ...own, ...changes }
  }

  test('is an access token of its client, without a session', async () => {
    const claims = await claimsOf()
    expect(serviceToken.typ).toBe(accessToken.typ)
    expect(serviceToken.claims.parse(claims)).toEqual(claims)
    expect(anyAccessToken.claims.parse(claims)).toEqual(claims)
    expect(accessToken.claims.safeParse(claims).success).toBe(false)
    expect(refreshToken.claims.safeParse(claims).success).toBe(false)
  })

  test.each<object>([
    { sid: 'x' },
    { gen: 1 },
    { cnf: undefined },
    { cnf: { jwk: { ...jwk, x: 'CCCC' } } },
    { sub: 'somebody' },
    { aud: 'another' },
    { client_id: 'another' },
    { scope: undefined },
  ])('is refused with %j', async (changes) => {
    const claims = await claimsOf(changes)
    expect(serviceToken.claims.safeParse(claims).success).toBe(false)
  })

  test('is accepted by anyAccessToken, beside the tokens of people, which need a session', () => {
    const claims = { ...SESSION, scope: 'user' }
    expect(anyAccessToken.claims.parse(claims)).toEqual(claims)
    expect(anyAccessToken.claims.safeParse({ ...claims, sid: undefined }).success).toBe(false)
  })
})
