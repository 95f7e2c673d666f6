import { describe, expect, test } from '@jest/globals'
import { loadConfig } from '../../../server/config/config.ts'
import type { StartupError } from '../../../server/errors/startup-error.ts'
import { federation } from '../../../server/features/federation/index.ts'
import { isSafeUrl } from '../../../server/features/federation/safe-url.ts'
import { startTestServer } from '../../support/server.ts'
import { TestClient } from '../../support/client.ts'
import { EXCHANGE, issuersFile } from './provider.ts'

const ENTRY = { issuer: 'https://provider.test', audiences: ['app'], discovery: true }
const load = (TRUSTED_ISSUERS: string) =>
  loadConfig([federation], { TRUSTED_ISSUERS }, '/nonexistent/.env').featureVariables[
    'TRUSTED_ISSUERS'
  ]
function problemsOf(content: unknown): readonly string[] {
  try {
    load(issuersFile(content))
  } catch (error) {
    return (error as StartupError).problems
  }
  return []
}

test('a file is read with strict defaults', () => {
  const x509_uri = 'https://provider.test/certificates'
  const file = issuersFile([
    ENTRY,
    {
      issuer: 'http://localhost:9000/realm/',
      audiences: ['a', 'b'],
      x509_uri,
      algorithms: ['ES256', 'PS256'],
      sign_up: true,
      link_verified_email: true,
      nonce: 'any',
    },
    { issuer: 'https://third.test', audiences: ['app'], jwks_uri: 'https://third.test/jwks' },
  ])
  const careful = { signUp: false, linkVerifiedEmail: false, nonce: 'client_id' }
  expect(load(file)).toEqual([
    {
      issuer: 'https://provider.test',
      audiences: ['app'],
      keys: { discovery: true },
      algorithms: ['RS256'],
      ...careful,
    },
    {
      issuer: 'http://localhost:9000/realm/',
      audiences: ['a', 'b'],
      keys: { x509_uri },
      algorithms: ['ES256', 'PS256'],
      signUp: true,
      linkVerifiedEmail: true,
      nonce: 'any',
    },
    {
      issuer: 'https://third.test',
      audiences: ['app'],
      algorithms: ['RS256'],
      ...careful,
      keys: { jwks_uri: 'https://third.test/jwks' },
    },
  ])
})

describe('every problem of the file is reported:', () => {
  test('together', () => {
    const problems = problemsOf([
      ENTRY,
      { ...ENTRY, audiences: [], algorithms: ['HS256'], jwks_uri: 'http://provider.test' },
      'x',
      { issuer: 'https://provider.test/?a', sign_up: 'yes', nonce: 'none', signup: true },
    ])
    expect(problems).toEqual([
      'TRUSTED_ISSUERS entry 2: audiences must not be empty.',
      'TRUSTED_ISSUERS entry 2: jwks_uri must be an https URL, or an http URL of this machine.',
      expect.stringMatching(/^TRUSTED_ISSUERS entry 2: algorithms may contain only ES256, /),
      'TRUSTED_ISSUERS entry 2: must have exactly one of jwks_uri, x509_uri, discovery.',
      'TRUSTED_ISSUERS entry 2: issuer appears twice.',
      'TRUSTED_ISSUERS entry 3: must be an object.',
      'TRUSTED_ISSUERS entry 4: issuer must not have a query or a fragment.',
      'TRUSTED_ISSUERS entry 4: audiences must be a list of strings.',
      'TRUSTED_ISSUERS entry 4: sign_up must be true or false.',
      'TRUSTED_ISSUERS entry 4: nonce must be client_id or any.',
      'TRUSTED_ISSUERS entry 4: has unknown members: signup.',
      'TRUSTED_ISSUERS entry 4: must have exactly one of jwks_uri, x509_uri, discovery.',
    ])
  })

  test.each<[unknown, RegExp]>([
    ['{', /which is not JSON\.$/],
    ['[]', /which must contain a list of issuers\.$/],
    [{}, /which must contain a list of issuers\.$/],
    [[null], /^TRUSTED_ISSUERS entry 1: must be an object\.$/],
    [[{ ...ENTRY, issuer: 7 }], /issuer must be a string/],
    [[{ ...ENTRY, discovery: false }], /discovery must be true or absent/],
    [[{ ...ENTRY, algorithms: [] }], /algorithms must not be empty/],
    [[{ ...ENTRY, audiences: [''] }], /audiences must not contain an empty string/],
  ])('%j', (content, problem) => {
    expect(problemsOf(content)).toEqual([expect.stringMatching(problem)])
  })

  test('a missing file', () => {
    expect(() => load('/nonexistent/issuers.json')).toThrow(
      'TRUSTED_ISSUERS names /nonexistent/issuers.json, which cannot be read (ENOENT): make it readable, or unset TRUSTED_ISSUERS.',
    )
  })
})

test('this server itself is refused as an issuer', async () => {
  const entry = { ...ENTRY, issuer: 'http://localhost:3000' }
  await expect(
    startTestServer({
      features: [federation],
      variables: { TRUSTED_ISSUERS: issuersFile([entry]) },
    }),
  ).rejects.toMatchObject({ problems: [expect.stringMatching(/lists this server itself/)] })
})

test.each([
  ['https://provider.test', true],
  ['https://provider.test:8443/a/b?c=d', true],
  ['http://localhost:3000', true],
  ['http://127.0.0.1/', true],
  ['http://[::1]:80/', true],
  ['http://provider.test', false],
  ['http://localhost.evil.test', false],
  ['http://127.0.0.1.evil.test', false],
  ['https://user@provider.test', false],
  ['https://user:password@provider.test', false],
  ['https://provider.test/\nx', false],
  [' https://provider.test', false],
  ['file:///etc/passwd', false],
  ['data:application/json,{}', false],
  ['provider.test', false],
  ['', false],
])('isSafeUrl(%j) is %j', (url, isSafe) => {
  expect(isSafeUrl(url)).toBe(isSafe)
})

test('without TRUSTED_ISSUERS the feature is off', async () => {
  const server = await startTestServer({ features: [federation] })
  const client = await TestClient.registered(server.url)
  const session = await client.signUp()
  const granted = await client.send('POST', '/token', { grant_type: EXCHANGE })
  expect(granted.body.error).toBe('unsupported_grant_type')
  expect((await client.sendAs(session, 'GET', '/account/identities')).status).toBe(404)
  const removal = await client.sendAs(session, 'DELETE', '/account', { subject_token: 'x' })
  expect(removal.body.error_description).toMatch(/^password /)
  const { body } = await client.send('GET', '/.well-known/oauth-authorization-server')
  expect(body.grant_types_supported).toEqual(['refresh_token'])
  await server.stop()
})
