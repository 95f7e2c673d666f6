import { createPublicKey } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { calculateJwkThumbprint, type JWK } from 'jose'
import type { Algorithms } from '../../protocol/algorithms.ts'
import { rawRequest } from '../support/raw-request.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

let server: TestServer

beforeAll(async () => {
  server = await startTestServer({ config: { issuer: 'https://auth.example.com' } })
})
afterAll(() => server.stop())

const get = (path: string, headers: [string, string][] = []) =>
  rawRequest(server.url, path, { headers })

describe('the JWK Set', () => {
  const path = '/.well-known/jwks.json'

  test('holds the public keys with their use, alg and thumbprint', async () => {
    const answer = await get(path)
    expect(answer.status).toBe(200)
    expect(answer.headers.get('content-type')).toMatch(/^application\/json/)
    expect(answer.headers.get('cache-control')).toBe('public, max-age=300')
    const keys = answer.body.keys as JWK[]
    expect(keys.map(({ use, alg, kty, crv }) => [use, alg, kty, crv])).toEqual([
      ['sig', 'ES256', 'EC', 'P-256'],
      ['enc', 'ECDH-ES+A128KW', 'EC', 'P-256'],
    ])
    for (const key of keys) {
      expect(Object.keys(key).sort()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y'])
      expect(key.kid).toBe(await calculateJwkThumbprint(key))
    }
  })

  test('has an ETag, and answers 304 to a client that has it', async () => {
    const etag = (await get(path)).headers.get('etag')!
    expect(etag).toMatch(/^"[\w-]+"$/)
    for (const known of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
      const answer = await get(path, [['If-None-Match', known]])
      expect([answer.status, answer.text]).toEqual([304, ''])
      expect(answer.headers.get('etag')).toBe(etag)
      expect(answer.headers.get('cache-control')).toBe('public, max-age=300')
    }
    const other = await get(path, [['If-None-Match', '"other"']])
    expect([other.status, other.headers.get('etag')]).toEqual([200, etag])
  })

  test('has another ETag if the keys differ', async () => {
    const other = await startTestServer()
    const answer = await rawRequest(other.url, path)
    await other.stop()
    expect(answer.headers.get('etag')).not.toBe((await get(path)).headers.get('etag'))
  })
})

test.each(['sig', 'enc'] as const)('/keys/%s.pem is the current public key', async (use) => {
  const answer = await get(`/keys/${use}.pem`)
  expect(answer.status).toBe(200)
  expect(answer.headers.get('content-type')).toBe('application/x-pem-file')
  expect(answer.text).toMatch(/^-----BEGIN PUBLIC KEY-----\n/)
  const { body } = await get('/.well-known/jwks.json')
  const { kty, crv, x, y } = (body.keys as JWK[]).find((key) => key.use === use)!
  expect(createPublicKey(answer.text).export({ format: 'jwk' })).toEqual({ kty, crv, x, y })
})

test('the metadata document lists the endpoints and the token algorithms', async () => {
  const answer = await get('/.well-known/oauth-authorization-server')
  expect(answer.status).toBe(200)
  expect(answer.headers.get('content-type')).toMatch(/^application\/json/)
  expect(answer.headers.get('cache-control')).toBe('public, max-age=300')
  expect(answer.body).toMatchObject({
    issuer: 'https://auth.example.com',
    jwks_uri: 'https://auth.example.com/.well-known/jwks.json',
    registration_endpoint: 'https://auth.example.com/clients',
    response_types_supported: [],
    grant_types_supported: ['refresh_token'],
    token_endpoint_auth_methods_supported: ['none'],
    access_token_signing_alg_values_supported: ['ES256'],
    access_token_encryption_alg_values_supported: ['ECDH-ES+A128KW'],
    access_token_encryption_enc_values_supported: ['A128GCM'],
    encryption_key_kty: 'EC',
    encryption_key_crv: 'P-256',
  })
})

test.each<[string, Algorithms, Record<string, unknown>]>([
  [
    'X25519',
    {
      signingAlg: 'EdDSA',
      encryptionAlg: 'ECDH-ES+A256KW',
      encryptionEnc: 'A256GCM',
      encryptionCrv: 'X25519',
    },
    { encryption_key_kty: 'OKP', encryption_key_crv: 'X25519' },
  ],
  [
    'RSA, without a curve',
    { signingAlg: 'ES384', encryptionAlg: 'RSA-OAEP-256', encryptionEnc: 'A128CBC-HS256' },
    { encryption_key_kty: 'RSA', encryption_key_crv: undefined },
  ],
])('the metadata document follows the configuration: %s', async (_, algorithms, key) => {
  const other = await startTestServer({ config: { algorithms } })
  const { body } = await rawRequest(other.url, '/.well-known/oauth-authorization-server')
  await other.stop()
  expect(body).toMatchObject({
    access_token_signing_alg_values_supported: [algorithms.signingAlg],
    access_token_encryption_alg_values_supported: [algorithms.encryptionAlg],
    access_token_encryption_enc_values_supported: [algorithms.encryptionEnc],
    encryption_key_kty: key['encryption_key_kty'],
  })
  expect(body.encryption_key_crv).toBe(key['encryption_key_crv'])
})

test.each([
  ['/healthz', { status: 'ok' }],
  ['/readyz', { status: 'ready' }],
])('%s answers 200, and is not cached', async (path, body) => {
  const answer = await get(path)
  expect([answer.status, answer.body]).toEqual([200, body])
  expect(answer.headers.get('cache-control')).toBe('no-store')
})

test.each([
  '/healthz',
  '/readyz',
  '/.well-known/jwks.json',
  '/.well-known/oauth-authorization-server',
  '/keys/sig.pem',
  '/keys/enc.pem',
])('HEAD %s has the headers of GET, and no body', async (path) => {
  const head = await rawRequest(server.url, path, { method: 'HEAD' })
  const full = await get(path)
  expect([head.status, head.text]).toEqual([200, ''])
  for (const name of ['content-type', 'content-length', 'cache-control', 'etag']) {
    expect(head.headers.get(name)).toBe(full.headers.get(name))
  }
})
