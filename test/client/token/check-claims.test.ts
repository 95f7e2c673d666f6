import { beforeAll, describe, expect, test } from '@jest/globals'
import {
  checkAccessClaims,
  checkClaims,
  checkTimes,
  type Expected,
} from '../../../client/token/check-claims.ts'
import { generateClientKey } from '../../../client/keys/client-key.ts'
import type { PublicJwk } from '../../../client/keys/public-jwk.ts'
import { codeOf, errorOf } from '../../support/auth-client.ts'

const expected = { issuer: 'https://auth.test', clientId: 'client-1' }
const registered = {
  iss: 'https://auth.test',
  sub: 'account-1',
  aud: 'client-1',
  client_id: 'client-1',
  iat: 1000,
  exp: 1900,
  jti: 'token-1',
  sid: 'session-1',
}
const claims = { ...registered, scope: 'user' }

describe('claims', () => {
  test('of a token for this client are returned', async () => {
    expect(await checkAccessClaims(claims, expected)).toEqual(claims)
    expect(await checkClaims(registered, expected)).toEqual(registered)
    expect((await checkAccessClaims({ ...claims, scope: '' }, expected)).scope).toBe('')
    expect(await checkAccessClaims({ ...claims, gen: 2 }, expected)).toEqual({ ...claims, gen: 2 })
  })

  test('that are unknown are returned too', async () => {
    const more = { plan: 'gold', roles: ['editor'], ['__proto__']: { scope: 'admin' } }
    const read = await checkAccessClaims({ ...claims, ...more }, expected)
    expect(read).toEqual({ ...claims, ...more })
    expect(Object.getPrototypeOf(read)).toBe(Object.prototype)
    const refresh = { ...registered, ...more }
    expect(await checkClaims(refresh, expected)).toEqual(refresh)
  })

  test.each<[string, unknown]>([
    ['iss', 'https://evil.test'],
    ['iss', 'https://auth.test/'],
    ['iss', undefined],
    ['aud', 'client-2'],
    ['aud', ['client-1']],
    ['aud', undefined],
    ['client_id', 'client-2'],
    ['client_id', undefined],
    ['sub', ''],
    ['sub', 1],
    ['sub', undefined],
    ['jti', ''],
    ['jti', undefined],
    ['sid', ''],
    ['sid', null],
    ['sid', undefined],
    ['iat', undefined],
    ['iat', '1000'],
    ['iat', 1000.5],
    ['iat', -1],
    ['exp', undefined],
    ['exp', '1900'],
    ['exp', null],
    ['exp', 1900.5],
    ['exp', 1e300],
    ['exp', 1000],
    ['exp', 999],
    ['gen', 0],
    ['gen', -1],
    ['gen', 1.5],
    ['gen', '1'],
    ['gen', null],
    ['scope', undefined],
    ['scope', ['user']],
  ])('with %s = %j are refused', async (name, value) => {
    const changed = { ...claims, [name]: value }
    const error = await errorOf(checkAccessClaims(changed, expected))
    expect(error.code).toBe('token_invalid')
    expect(error.message).toMatch(/: (iss|aud|claims)\.$/)
    if (name === 'scope') return
    expect(await codeOf(checkClaims(changed, expected))).toBe('token_invalid')
  })
})

describe('the cnf claim', () => {
  let clientId: string
  let jwk: PublicJwk
  let own: Expected
  let bound: Record<string, unknown>
  beforeAll(async () => {
    ;({ id: clientId, publicJwk: jwk } = await generateClientKey({ kty: 'EC', crv: 'P-256' }))
    own = { ...expected, clientId }
    bound = { ...claims, aud: clientId, client_id: clientId, cnf: { jwk } }
  })

  test("is accepted with this client's key", async () => {
    for (const isKeyBound of [true, undefined]) {
      expect(await checkAccessClaims(bound, { ...own, isKeyBound })).toEqual(bound)
    }
  })

  test.each<[string, () => unknown]>([
    ['a string', () => 'jwk'],
    ['null', () => null],
    ['an object without a jwk', () => ({})],
    ['a jwk in a list', () => ({ jwk: [jwk] })],
    ['another key', () => ({ jwk: { ...jwk, x: jwk.y, y: jwk.x } })],
    ['a thumbprint', () => ({ jkt: clientId })],
  ])('is refused if it is %s', async (_name, cnf) => {
    for (const isKeyBound of [true, undefined]) {
      const error = await errorOf(checkClaims({ ...bound, cnf: cnf() }, { ...own, isKeyBound }))
      expect([error.code, error.message]).toEqual([
        'token_invalid',
        expect.stringMatching(/: cnf\.$/),
      ])
    }
  })

  test('is required if the client asked for key-bound tokens, and refused if it did not', async () => {
    const { cnf, ...unbound } = bound
    expect(cnf).toBeDefined()
    expect(await codeOf(checkClaims(unbound, { ...own, isKeyBound: true }))).toBe('token_invalid')
    expect(await codeOf(checkClaims(bound, { ...own, isKeyBound: false }))).toBe('token_invalid')
    expect(await checkClaims(unbound, { ...own, isKeyBound: false })).toEqual(unbound)
    expect(await checkClaims(unbound, own)).toEqual(unbound)
  })
})

describe('times', () => {
  test.each([995, 1000, 1899, 1899.9])('at %d are valid', (now) => {
    expect(() => {
      checkTimes(claims, now)
    }).not.toThrow()
  })

  test.each([
    [994, 'token_invalid'],
    [994.9, 'token_invalid'],
    [1900, 'token_expired'],
    [5000, 'token_expired'],
  ])('at %d are refused with %s', async (now, code) => {
    const checked = Promise.resolve().then(() => {
      checkTimes(claims, now)
    })
    expect(await codeOf(checked)).toBe(code)
  })
})
