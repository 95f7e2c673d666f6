import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { compactVerify, decodeJwt, decodeProtectedHeader } from 'jose'
import { describeClaims } from '../../../server/features/service-clients/introspection.ts'
import { createServiceClients } from '../../../server/features/service-clients/service-clients.ts'
import { serviceDatabase } from '../../../server/features/service-clients/service-tables.ts'
import { GOOD_PASSWORD, TestClient, type TestSession } from '../../support/client.ts'
import type { TestServer } from '../../support/server.ts'
import { Service, startServiceServer } from './service.ts'

let server: TestServer
let service: Service
let client: TestClient
beforeAll(async () => {
  server = await startServiceServer()
  service = await Service.create(server)
  client = await TestClient.registered(server.url)
})
afterAll(() => server.stop())

let session: TestSession
beforeEach(async () => {
  session = await client.signUp()
})

const INACTIVE = { active: false }
const ask = async (jws: string) => (await service.introspect(jws)).body as unknown
const send = async (token: string) => (await service.send('/introspect', { token })).body as unknown

test("a claim of one's own is passed on, but neither the generation nor a member of the protocol", () => {
  const registered = { iss: 'i', sub: 's', aud: 'a', iat: 1, exp: 2, jti: 'j' }
  const claims = { ...registered, client_id: 'a', sid: 'x', gen: 3, scope: 'user' }
  const own = { plan: 'free', active: false }
  const answer: unknown = JSON.parse(JSON.stringify(describeClaims({ ...claims, ...own })))
  const { gen, ...rest } = claims
  expect(gen).toBe(3)
  expect(answer).toEqual({ ...rest, plan: 'free', active: true, token_type: 'Bearer' })
})

test('an active token is answered with its claims', async () => {
  const { status, headers, body } = await service.introspect(session.accessJws)
  expect(status).toBe(200)
  expect(headers.get('cache-control')).toBe('no-store')
  expect(body).toEqual({
    active: true,
    token_type: 'Bearer',
    ...decodeJwt(session.accessJws),
  })
})

test('a key-bound token needs no proof, because the service is authenticated', async () => {
  const bound = await TestClient.registered(server.url, { key_bound_tokens: true })
  const { accessJws } = await bound.signUp()
  const claims = decodeJwt(accessJws)
  expect(claims['cnf']).toBeDefined()
  expect(await ask(accessJws)).toEqual({ active: true, token_type: 'Bearer', ...claims })
})

test('a service token is active until its client is removed', async () => {
  const other = await Service.create(server)
  const jws = await other.open((await other.token()).body.access_token as string)
  const body = { active: true, token_type: 'Bearer', ...decodeJwt(jws) }
  expect(await ask(jws)).toEqual(body)
  await createServiceClients(serviceDatabase(server.database)).remove(other.id)
  expect(await ask(jws)).toEqual(INACTIVE)
})

describe('a token is inactive:', () => {
  test('after its session has ended', async () => {
    expect(await ask(session.accessJws)).toMatchObject({ active: true })
    await client.sendAs(session, 'POST', '/account/logout')
    expect(await ask(session.accessJws)).toEqual(INACTIVE)
  })

  test('after its session has a new generation', async () => {
    const change = { current_password: GOOD_PASSWORD, new_password: 'another winding road' }
    const { body } = await client.sendAs(session, 'PUT', '/account/password', change)
    const next = await client.open(body.access_token as string)
    expect(await ask(session.accessJws)).toEqual(INACTIVE)
    const claims = { ...decodeJwt(next), gen: undefined }
    expect(await ask(next)).toEqual({ active: true, token_type: 'Bearer', ...claims })
  })

  test('after it has expired', async () => {
    server.clock.advance(server.config.accessTokenTtl)
    expect(await ask(session.accessJws)).toEqual(INACTIVE)
  })

  test('if it is a refresh token', async () => {
    expect(await ask(session.refreshJws)).toEqual(INACTIVE)
  })

  test('if it is not sealed, or not to the server', async () => {
    expect(await send(session.accessJws)).toEqual(INACTIVE)
    expect(await send(session.answer.body.access_token as string)).toEqual(INACTIVE)
    expect(await send('x'.repeat(9000))).toEqual(INACTIVE)
  })

  test('if it is not signed', async () => {
    const claims = JSON.stringify(decodeJwt(session.accessJws))
    const encoded = Buffer.from(claims).toString('base64url')
    const none = Buffer.from('{"alg":"none","typ":"at+jwt"}').toString('base64url')
    for (const plaintext of [claims, `${none}.${encoded}.`, session.answer.body.access_token]) {
      expect(await ask(plaintext as string)).toEqual(INACTIVE)
    }
  })

  test('if it is not bound', async () => {
    const token = await client.seal(session.accessJws)
    expect(await send(token)).toEqual(INACTIVE)
  })

  test.each<[string, object]>([
    ['another method', { htm: 'GET' }],
    ['another URL', { htu: 'https://other.test/introspect' }],
    ['another path', { htu: 'http://localhost:3000/account' }],
    ['with an iat of 0', { iat: 0 }],
    ['with a digest', { dig: 'x'.repeat(43) }],
    ['with a proof', { mac: 'x'.repeat(43) }],
    ['without a jti', { jti: undefined }],
  ])('if its binding is wrong: %s', async (_, changes) => {
    expect(await send(await service.seal(session.accessJws, service.bound(changes)))).toEqual(
      INACTIVE,
    )
  })
})

describe('a recorded introspection request', () => {
  test('cannot be sent again', async () => {
    const parameters = {
      token: await service.seal(session.accessJws),
      client_assertion: await service.assertion(),
    }
    expect((await service.send('/introspect', parameters)).body).toMatchObject({ active: true })
    expect((await service.send('/introspect', parameters)).status).toBe(401)
    const { token } = parameters
    expect(await send(token)).toEqual(INACTIVE)
    expect(server.logs.join('')).toContain('"audit":"request_replayed"')
  })

  test('cannot be used as an access token or to revoke, even if it never arrived', async () => {
    const token = await service.seal(session.accessJws)
    const headers = { authorization: `Bearer ${token}` }
    expect((await client.send('GET', '/account', undefined, headers)).status).toBe(401)
    await client.send('POST', '/revoke', { token })
    expect((await client.sendAs(session, 'GET', '/account')).status).toBe(200)
  })
})

describe('introspection', () => {
  test('needs the scope introspect', async () => {
    const plain = await Service.create(server, { scope: 'introspection notes' })
    const answer = await plain.introspect(session.accessJws)
    expect([answer.status, answer.body.error]).toEqual([403, 'insufficient_scope'])
  })

  test('needs a token', async () => {
    const answer = await service.send('/introspect')
    expect([answer.status, answer.body.error]).toEqual([400, 'invalid_request'])
  })

  test('is not authenticated by an access token', async () => {
    const answer = await client.sendAs(session, 'POST', '/introspect', { token: 'x' })
    expect([answer.status, answer.body.error]).toEqual([401, 'invalid_client'])
  })
})

describe('an answer as a JWT', () => {
  const JWT = 'application/token-introspection+jwt'
  const open = async (jws: string) => {
    const { status, headers, text } = await service.introspect(jws, { accept: JWT })
    expect([status, headers.get('content-type')]).toEqual([200, JWT])
    expect(decodeProtectedHeader(text)).toMatchObject({ kid: service.id, cty: 'JWT' })
    const { kid, alg, publicKey } = server.keystore.signingKey
    const signed = await service.open(text)
    const { payload, protectedHeader } = await compactVerify(signed, publicKey)
    expect(protectedHeader).toEqual({ alg, kid, typ: 'token-introspection+jwt' })
    return JSON.parse(new TextDecoder().decode(payload)) as unknown
  }

  test('is signed, and encrypted to the asking service', async () => {
    expect(await open(session.accessJws)).toEqual({
      iss: server.config.issuer,
      aud: service.id,
      iat: service.now(),
      token_introspection: { active: true, token_type: 'Bearer', ...decodeJwt(session.accessJws) },
    })
    expect(await open(session.refreshJws)).toMatchObject({ token_introspection: INACTIVE })
  })

  test.each([
    ['application/json', 'application/json; charset=utf-8'],
    ['*/*', 'application/json; charset=utf-8'],
    ['text/html', 'application/json; charset=utf-8'],
    [`application/json;q=0.5, ${JWT}`, JWT],
  ])('depends on Accept: %s', async (accept, type) => {
    const { headers } = await service.introspect(session.accessJws, { accept })
    expect(headers.get('content-type')).toBe(type)
  })

  test('is not a token', async () => {
    const { text } = await service.introspect(session.accessJws, { accept: JWT })
    expect(await ask(await service.open(text))).toEqual(INACTIVE)
  })
})

test('no token or assertion is logged', async () => {
  const assertion = await service.assertion()
  const token = await service.seal(session.accessJws)
  await service.send('/introspect', { token, client_assertion: assertion })
  await service.send('/introspect', { token, client_assertion: assertion })
  const text = server.logs.join('')
  for (const secret of [assertion, token, session.accessJws, 'client_assertion"']) {
    expect(text).not.toContain(secret.slice(0, 40))
  }
})

test('the metadata describes the endpoint', async () => {
  const { body } = await client.send('GET', '/.well-known/oauth-authorization-server')
  expect(body).toMatchObject({
    introspection_endpoint: `${server.config.issuer}/introspect`,
    introspection_endpoint_auth_methods_supported: ['private_key_jwt'],
    token_endpoint_auth_methods_supported: ['none', 'private_key_jwt'],
    grant_types_supported: ['refresh_token', 'client_credentials'],
    introspection_signing_alg_values_supported: ['ES256'],
    introspection_encryption_enc_values_supported: ['A128GCM'],
  })
  for (const endpoint of ['token', 'introspection']) {
    const algs = body[`${endpoint}_endpoint_auth_signing_alg_values_supported`] as string[]
    expect(algs).toContain('ES256')
    expect(algs.join()).not.toContain('HS')
  }
})
