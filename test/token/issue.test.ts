import { beforeEach, expect, test } from '@jest/globals'
import { decodeProtectedHeader } from 'jose'
import { ZodError } from 'zod'
import type { AccessTokenClaims } from '../../protocol/tokens.ts'
import { issue } from '../../server/token/issue.ts'
import { accessToken, refreshToken, type OwnClaims } from '../../server/token/claims.ts'
import { verifyEs256 } from '../support/foreign-jose.ts'
import { ISSUER, LIFETIME, open, OWN_CLAIMS, recipientOf, setUp, type Fixture } from './fixtures.ts'

let server: Fixture
beforeEach(async () => {
  server = await setUp()
})

const { sub, aud, client_id, sid } = OWN_CLAIMS
const REFRESH_CLAIMS = { sub, aud, client_id, sid }

async function opened(token: string) {
  const { header, payload } = verifyEs256(
    await open(token, server.client),
    server.keystore.signingKey.publicKey,
  )!
  return { header, payload }
}

test('an access token has the chosen claims, and iss, iat, exp and jti', async () => {
  const { context, client, keystore, now } = server
  const token = issue(context, accessToken, OWN_CLAIMS, recipientOf(client), LIFETIME)
  expect(await opened(token)).toEqual({
    header: { alg: 'ES256', kid: keystore.signingKey.kid, typ: 'at+jwt' },
    payload: {
      ...OWN_CLAIMS,
      iss: ISSUER,
      iat: now,
      exp: now + LIFETIME,
      jti: expect.stringMatching(/^[0-9a-f-]{36}$/),
    },
  })
})

test('a refresh token has its own typ and no scope', async () => {
  const { context, client } = server
  const token = issue(context, refreshToken, REFRESH_CLAIMS, recipientOf(client), LIFETIME)
  const { header, payload } = await opened(token)
  expect(header['typ']).toBe('rt+jwt')
  expect(Object.keys(payload).sort()).toEqual([
    'aud',
    'client_id',
    'exp',
    'iat',
    'iss',
    'jti',
    'sid',
    'sub',
  ])
})

test('the outer header names the recipient and the content, and is not compressed', () => {
  const { context, client } = server
  const token = issue(context, accessToken, OWN_CLAIMS, recipientOf(client), LIFETIME)
  expect(decodeProtectedHeader(token)).toEqual({
    alg: 'ECDH-ES+A128KW',
    enc: 'A128GCM',
    kid: client.kid,
    cty: 'JWT',
    epk: { kty: 'EC', crv: 'P-256', x: expect.any(String), y: expect.any(String) },
  })
})

test.each([1, 900, 30 * 86_400])('the lifetime is the requested %i seconds', async (ttl) => {
  const { context, client } = server
  const { payload } = await opened(
    issue(context, accessToken, OWN_CLAIMS, recipientOf(client), ttl),
  )
  expect(Number(payload['exp']) - Number(payload['iat'])).toBe(ttl)
})

test('a fraction of a second is cut off the time of issue', async () => {
  const { context, client, clock, now } = server
  clock.advance(0.999)
  const token = issue(context, accessToken, OWN_CLAIMS, recipientOf(client), LIFETIME)
  expect((await opened(token)).payload).toMatchObject({ iat: now, exp: now + LIFETIME })
})

test('every token has a jti of its own', async () => {
  const { context, client } = server
  const jtis = await Promise.all(
    Array.from({ length: 20 }, async () => {
      const token = issue(context, accessToken, OWN_CLAIMS, recipientOf(client), LIFETIME)
      return (await opened(token)).payload['jti']
    }),
  )
  expect(new Set(jtis).size).toBe(20)
})

test('a jti that the issuer chose is kept', async () => {
  const { context, client } = server
  const claims = { ...OWN_CLAIMS, jti: 'chosen' }
  const token = issue(context, accessToken, claims, recipientOf(client), LIFETIME)
  expect((await opened(token)).payload['jti']).toBe('chosen')
})

test('the issuer and the times cannot be chosen', async () => {
  const { context, client, now } = server
  const claims = { ...OWN_CLAIMS, iss: 'https://evil.test', iat: 1, exp: 4_000_000_000 }
  const token = issue(context, accessToken, claims, recipientOf(client), LIFETIME)
  expect((await opened(token)).payload).toMatchObject({
    iss: ISSUER,
    iat: now,
    exp: now + LIFETIME,
  })
})

test.each<[string, object]>([
  ['an empty subject', { sub: '' }],
  ['a subject that is a list', { sub: ['account-1'] }],
  ['an audience other than its client', { aud: 'client-2' }],
  ['a claim that the kind does not have', { admin: true }],
  ['an empty jti', { jti: '' }],
])('%s is never signed', (_name, change) => {
  const { context, client } = server
  const claims = { ...OWN_CLAIMS, ...change } as OwnClaims<AccessTokenClaims>
  expect(() => issue(context, accessToken, claims, recipientOf(client), LIFETIME)).toThrow(ZodError)
})

test.each([0.5, NaN, Infinity])('a lifetime of %d seconds is never signed', (lifetime) => {
  const { context, client } = server
  expect(() => issue(context, accessToken, OWN_CLAIMS, recipientOf(client), lifetime)).toThrow(
    ZodError,
  )
})
