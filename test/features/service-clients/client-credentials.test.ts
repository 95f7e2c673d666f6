import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose'
import { createVerifier } from '../../../server/resource-server/verifier.ts'
import { createLogger } from '../../../server/log/logger.ts'
import type { TestServer } from '../../support/server.ts'
import { makeKeys, Service, startServiceServer } from './service.ts'

let server: TestServer
let service: Service
beforeAll(async () => {
  server = await startServiceServer()
  service = await Service.create(server)
})
afterAll(() => server.stop())

test('a service token is nested, encrypted to the service, key-bound and without a session', async () => {
  const { status, headers, body } = await service.token()
  expect(status).toBe(200)
  expect(headers.get('cache-control')).toBe('no-store')
  expect(body).toEqual({
    access_token: expect.any(String),
    token_type: 'Bearer',
    expires_in: server.config.accessTokenTtl,
    scope: 'notes introspect',
  })
  expect(decodeProtectedHeader(body.access_token)).toMatchObject({
    alg: 'ECDH-ES+A128KW',
    enc: 'A128GCM',
    cty: 'JWT',
    kid: service.id,
  })
  const jws = await service.open(body.access_token)
  const { protectedHeader, payload } = await jwtVerify(jws, server.keystore.signingKey.publicKey, {
    currentDate: new Date(server.clock()),
  })
  const { kid, alg } = server.keystore.signingKey
  expect(protectedHeader).toEqual({ alg, kid, typ: 'at+jwt' })
  expect(payload).toEqual({
    iss: server.config.issuer,
    sub: service.id,
    aud: service.id,
    client_id: service.id,
    iat: service.now(),
    exp: service.now() + server.config.accessTokenTtl,
    jti: expect.any(String),
    scope: 'notes introspect',
    cnf: { jwk: expect.any(Object) },
  })
  expect(Object.keys((payload['cnf'] as { jwk: object }).jwk).sort()).toEqual([
    'crv',
    'kty',
    'x',
    'y',
  ])
  expect(server.logs.join('')).toContain(
    `"audit":"service_authenticated","client_id":"${service.id}"`,
  )
})

test.each([
  ['notes', 200, 'notes'],
  ['introspect notes', 200, 'introspect notes'],
  ['notes notes', 200, 'notes'],
  ['notes admin', 400, undefined],
  ['Notes', 400, undefined],
])('a request for the scope "%s" is answered with %d', async (scope, status, granted) => {
  const answer = await service.token({ scope })
  expect([answer.status, answer.body.scope]).toEqual([status, granted])
  if (status === 200) {
    const claims = decodeJwt(await service.open(answer.body.access_token))
    expect(claims['scope']).toBe(granted)
  } else expect(answer.body.error).toBe('invalid_scope')
})

test.each(['P-384', 'P-521', 'X25519'])('a service token is encrypted on %s', async (crv) => {
  const keys = await makeKeys('ES256', crv)
  const algorithms = { ...server.config.algorithms, encryptionCrv: crv as 'P-384' }
  const other = await startServiceServer({ config: { algorithms } })
  try {
    const service = await Service.create(other, { keys })
    const { body } = await service.token()
    expect(decodeJwt(await service.open(body.access_token))).toMatchObject({
      sub: service.id,
      cnf: { jwk: { crv } },
    })
  } finally {
    await other.stop()
  }
})

test('a service token is key-bound, whatever KEY_BOUND_TOKENS says', async () => {
  const other = await startServiceServer({ config: { keyBoundTokens: false } })
  try {
    const service = await Service.create(other)
    const { body } = await service.token()
    expect(decodeJwt(await service.open(body.access_token))['cnf']).toBeDefined()
  } finally {
    await other.stop()
  }
})

test('with an RSA server key, service tokens are encrypted to a key on a curve', async () => {
  const algorithms = {
    signingAlg: 'ES256',
    encryptionAlg: 'RSA-OAEP-256',
    encryptionEnc: 'A128GCM',
  }
  const other = await startServiceServer({
    config: { algorithms: algorithms as typeof server.config.algorithms },
  })
  try {
    const service = await Service.create(other)
    const { body } = await service.token()
    expect(decodeProtectedHeader(body.access_token).alg).toBe('ECDH-ES+A128KW')
    expect(decodeJwt(await service.open(body.access_token)).sub).toBe(service.id)
  } finally {
    await other.stop()
  }
})

test('a service token is refused by a service that does not ask for it', async () => {
  const url = 'https://photos.test'
  const verifier = await createVerifier({
    issuer: server.config.issuer,
    url,
    clock: server.clock,
    logger: createLogger('silent'),
    fetch: (asked, init) => fetch(asked.replace(server.config.issuer, server.url), init),
  })
  const jws = await service.open((await service.token()).body.access_token as string)
  const req = service.bound({ htm: 'GET', htu: `${url}/` })
  const token = await service.sealTo(verifier.jwks.keys[0]!, jws, req)
  const headers = ['Authorization', `Bearer ${token}`]
  const { refusal } = await verifier.verify({ method: 'GET', url: '/', headers, body: undefined })
  expect(refusal?.status).toBe(403)
})
