import { describe, expect, test } from '@jest/globals'
import { checkAccessClaims, checkClaims, checkTimes } from '../../../client/token/check-claims.ts'
import { codeOf, errorOf } from '../../support/auth-client.ts'

const expected = { issuer: 'https://auth.test', clientId: 'client-1' }
const registered = {
  ...{ iss: 'https://auth.test', sub: 'account-1', aud: 'client-1', client_id: 'client-1' },
  ...{ iat: 1000, exp: 1900, jti: 'token-1', sid: 'session-1' },
}
const claims = { ...registered, scope: 'user' }
/** As a promise, for `codeOf`. */
const attempt = (work: () => unknown) => Promise.resolve().then(work)

describe('claims', () => {
  test('of a token for this client are given back', () => {
    expect(checkAccessClaims(claims, expected)).toEqual(claims)
    expect(checkClaims(registered, expected)).toEqual(registered)
    expect(checkAccessClaims({ ...claims, scope: '' }, expected).scope).toBe('')
    expect(checkAccessClaims({ ...claims, gen: 2 }, expected)).toEqual({ ...claims, gen: 2 })
  })

  test('that are not known are handed through', () => {
    const more = { plan: 'gold', roles: ['editor'], ['__proto__']: { scope: 'admin' } }
    const read = checkAccessClaims({ ...claims, ...more }, expected)
    expect(read).toEqual({ ...claims, ...more })
    expect(Object.getPrototypeOf(read)).toBe(Object.prototype)
    expect(checkClaims({ ...registered, ...more }, expected)).toEqual({ ...registered, ...more })
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
  ])('%s: %j is refused', async (name, value) => {
    const changed = { ...claims, [name]: value }
    const error = await errorOf(attempt(() => checkAccessClaims(changed, expected)))
    expect(error.code).toBe('token_invalid')
    expect(error.message).toMatch(/: (iss|aud|claims)\.$/)
    if (name === 'scope') return
    expect(await codeOf(attempt(() => checkClaims(changed, expected)))).toBe('token_invalid')
  })
})

describe('times', () => {
  test.each([995, 1000, 1899, 1899.9])('at %d it is good', (now) => {
    expect(() => {
      checkTimes(claims, now)
    }).not.toThrow()
  })

  test.each([
    [994, 'token_invalid'],
    [994.9, 'token_invalid'],
    [1900, 'token_expired'],
    [5000, 'token_expired'],
  ])('at %d it is %s', async (now, code) => {
    expect(
      await codeOf(
        attempt(() => {
          checkTimes(claims, now)
        }),
      ),
    ).toBe(code)
  })
})
