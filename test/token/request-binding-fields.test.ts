import { createHash } from 'node:crypto'
import { describe, expect, test } from '@jest/globals'
import { checkBinding, type ExpectedBinding } from '../../server/token/request-binding.ts'

const BODY = Buffer.from('{"name":"Zoë"}')
const digest = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('base64url')
const NOW = 1_767_225_600

const REQUEST: ExpectedBinding = {
  method: 'PATCH',
  url: 'https://auth.test/account',
  body: BODY,
  now: NOW * 1000,
  notBefore: 0,
}
const REQ = {
  jti: 'once',
  iat: NOW,
  htm: 'PATCH',
  htu: 'https://auth.test/account',
  dig: digest(BODY),
}

const check = (changes: Record<string, unknown> = {}, request: Partial<ExpectedBinding> = {}) =>
  checkBinding({ ...REQ, ...changes }, { ...REQUEST, ...request })
const reasonOf = (work: () => unknown): string | undefined => {
  try {
    work()
    return undefined
  } catch (error) {
    expect(error).toMatchObject({ name: 'TokenError', code: 'token_invalid' })
    return (error as { reason: string }).reason
  }
}

test('returns a binding that matches, without its other members', () => {
  expect(check({ extra: 1 })).toEqual(REQ)
})

test.each<[string, Record<string, unknown>]>([
  ['made 60 s ago', { iat: NOW - 60 }],
  ['made 60 s ahead', { iat: NOW + 60 }],
  ['with a query', { htu: 'https://auth.test/account?a=1' }],
  ['with a fragment', { htu: 'https://auth.test/account#top' }],
  ['with its scheme and host in capitals', { htu: 'HTTPS://AUTH.test/account' }],
  ['with the default port', { htu: 'https://auth.test:443/account' }],
  ['with dots in its path', { htu: 'https://auth.test/x/../account' }],
  [
    'with a query that looks like a URL',
    { htu: 'https://auth.test/account?at=https://evil.test/' },
  ],
  ['with the longest htu', { htu: `${REQ.htu}?${'x'.repeat(2048 - REQ.htu.length - 1)}` }],
  ['with the longest jti', { jti: 'x'.repeat(128) }],
])('a binding %s matches', (_, changes) => {
  expect(() => check(changes)).not.toThrow()
})

test('the query of the request is ignored, too', () => {
  expect(() => check({}, { url: 'https://auth.test/account?a=1' })).not.toThrow()
})

test.each([
  ['HTTP://localhost:80', 'http://localhost'],
  ['http://localhost', 'http://localhost:80'],
  ['http://[::1]:3000', 'http://[::1]:3000'],
  ['http://[FE80::1]:80', 'http://[fe80::1]'],
])('a binding to %s matches a request to %s', (bound, requested) => {
  expect(() => check({ htu: `${bound}/./account` }, { url: `${requested}/account` })).not.toThrow()
})

test('characters that a URL escapes may be escaped or not', () => {
  const url = 'https://auth.test/a"b'
  expect(() => check({ htu: url }, { url })).not.toThrow()
  expect(() => check({ htu: 'https://auth.test/a%22b' }, { url })).not.toThrow()
})

test.each(['/x/../account', '/x/%2E%2e/account', '/./account', '/%2e/account', '/x\\..\\account'])(
  'a request to %s, which a router may read differently, matches only itself',
  (path) => {
    const url = `https://auth.test${path}`
    expect(reasonOf(() => check({}, { url }))).toBe('req_htu')
    if (!path.includes('\\')) expect(() => check({ htu: url }, { url })).not.toThrow()
  },
)

test('a request with an invalid URL matches no binding', () => {
  expect(reasonOf(() => check({}, { url: 'https://auth.test:x/account' }))).toBe('req_htu')
})

test.each<[string, string, Record<string, unknown>]>([
  ['req_iat', 'made 61 s ago', { iat: NOW - 61 }],
  ['req_iat', 'made 61 s ahead', { iat: NOW + 61 }],
  ['req_htm', 'for another method', { htm: 'GET' }],
  ['req_htm', 'for the method in lower case', { htm: 'patch' }],
  ['req_htu', 'for another path', { htu: 'https://auth.test/account/' }],
  ['req_htu', 'for a path in other case', { htu: 'https://auth.test/Account' }],
  ['req_htu', 'for another host', { htu: 'https://evil.test/account' }],
  ['req_htu', 'for another scheme', { htu: 'http://auth.test/account' }],
  ['req_htu', 'for another port', { htu: 'https://auth.test:8443/account' }],
  ['req_htu', 'for a path alone', { htu: '/account' }],
  ['req_htu', 'with an empty htu', { htu: '' }],
  ['req_htu', 'for an invalid URL', { htu: 'https://[' }],
  ['req_htu', 'for a URL without a host', { htu: 'https:///account' }],
  ['req_htu', 'for a host that begins like ours', { htu: 'https://auth.test.evil.test/account' }],
  ['req_htu', 'for a host in escapes', { htu: 'https://%61uth.test/account' }],
  ['req_htu', 'for the default port of another scheme', { htu: 'https://auth.test:80/account' }],
  ['req_htu', 'with one slash', { htu: 'https:/auth.test/account' }],
  ['req_htu', 'with a user name', { htu: 'https://me@auth.test/account' }],
  ['req_htu', 'with a password', { htu: 'https://:pw@auth.test/account' }],
  ['req_dig', 'for another body', { dig: digest(Buffer.from('{}')) }],
  ['req_dig', 'for no body', { dig: undefined }],
  ['req_dig', 'with a padded digest', { dig: `${digest(BODY)}=` }],
  ['req_dig', 'with an empty digest', { dig: '' }],
])('a binding is refused with %s: %s', (reason, _, changes) => {
  expect(reasonOf(() => check(changes))).toBe(reason)
})

describe('a request without a body', () => {
  test.each<[string, Uint8Array | undefined]>([
    ['no body', undefined],
    ['an empty body', Buffer.alloc(0)],
  ])('matches only a binding without a digest: %s', (_, body) => {
    expect(() => check({ dig: undefined }, { body })).not.toThrow()
    for (const dig of ['', digest(Buffer.alloc(0)), REQ.dig]) {
      expect(reasonOf(() => check({ dig }, { body }))).toBe('req_dig')
    }
  })
})

test.each([
  ['in the second before the replay memory began is refused', NOW - 1, 'req_before_start'],
  ['in the second in which the replay memory began is accepted', NOW, undefined],
])('a binding made %s', (_, iat, reason) => {
  expect(reasonOf(() => check({ iat }, { notBefore: NOW * 1000 }))).toBe(reason)
})

test.each<[string, unknown]>([
  ['undefined', undefined],
  ['null', null],
  ['true', true],
  ['a number', 7],
  ['a string', JSON.stringify(REQ)],
  ['an array', [REQ]],
  ['an empty object', {}],
  ...['jti', 'iat', 'htm', 'htu'].map((name): [string, unknown] => [
    `without ${name}`,
    { ...REQ, [name]: undefined },
  ]),
  ...[
    { jti: '' },
    { jti: 'x'.repeat(129) },
    { jti: 1 },
    { iat: String(NOW) },
    { iat: NOW + 0.5 },
    { iat: -1 },
    { iat: 1e300 },
    { iat: null },
    { htm: ['PATCH'] },
    { htu: { href: REQ.htu } },
    { htu: `${REQ.htu}?${'x'.repeat(2048 - REQ.htu.length)}` },
    // Characters that a URL parser would drop or reinterpret.
    ...['\n', '\t', ' ', '\u00a0', '\u007f'].flatMap((character) => [
      { htu: `${character}${REQ.htu}` },
      { htu: `${REQ.htu}${character}` },
      { htu: REQ.htu.replace('auth', `au${character}th`) },
    ]),
    { htu: REQ.htu.replaceAll('/', '\\') },
    { htu: REQ.htu.replace('auth', 'ａｕｔｈ') },
    { htu: `https://${'一'.repeat(1700)}/account` },
    { dig: null },
    { dig: 1 },
  ].map((member): [string, unknown] => [JSON.stringify(member), { ...REQ, ...member }]),
])('a malformed binding is refused: %s', (_, req) => {
  expect(reasonOf(() => checkBinding(req, REQUEST))).toBe('req')
})
