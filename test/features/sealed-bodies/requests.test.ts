import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { generateKeyPair, exportJWK } from 'jose'
import { sealedBodies } from '../../../server/features/sealed-bodies/index.ts'
import { GOOD_PASSWORD, someEmail, TestClient, type TestSession } from '../../support/client.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'
import { SealingClient } from './sealing-client.ts'

let server: TestServer
let client: SealingClient
beforeAll(async () => {
  server = await startTestServer({ features: [sealedBodies] })
  client = await SealingClient.registered(server)
})
afterAll(() => server.stop())

const accept = 'application/json'

describe('a sealed body gets the answer of a plain one:', () => {
  let email: string
  let session: TestSession
  beforeAll(async () => {
    email = someEmail()
    session = await client.signUp(email, GOOD_PASSWORD)
  })

  test('signing in', async () => {
    const body = { email, password: GOOD_PASSWORD, client_id: client.id }
    const right = await client.send({ method: 'POST', path: '/account/login', body, accept })
    expect([right.status, right.body.account.email]).toEqual([200, email])
    const password = 'another password'
    const wrong = await client.send({
      method: 'POST',
      path: '/account/login',
      body: { ...body, password },
      accept,
    })
    expect([wrong.status, wrong.body.error]).toEqual([401, 'invalid_grant'])
  })

  test('renaming', async () => {
    const body = { name: 'Zoë' }
    const answer = await client.send({ method: 'PATCH', path: '/account', session, body, accept })
    expect([answer.status, answer.body.account.name]).toEqual([200, 'Zoë'])
  })

  test('registering', async () => {
    const jwk = await exportJWK(
      (await generateKeyPair('ECDH-ES+A128KW', { crv: 'P-256' })).publicKey,
    )
    const body = { jwks: { keys: [{ ...jwk, use: 'enc' }] } }
    const answer = await client.send({ method: 'POST', path: '/clients', body, accept })
    expect(answer.status).toBe(201)
  })

  test('renewing and revoking', async () => {
    const own = await client.signUp(someEmail(), GOOD_PASSWORD)
    const refresh_token = await client.client.seal(own.refreshJws)
    const body = { grant_type: 'refresh_token', refresh_token }
    const renewed = await client.send({ method: 'POST', path: '/token', body, accept })
    expect([renewed.status, Object.keys(renewed.body)]).toEqual([
      200,
      ['access_token', 'refresh_token', 'token_type', 'expires_in'],
    ])
    const token = await client.client.seal(await client.client.open(renewed.body.refresh_token))
    const revoked = await client.send({ method: 'POST', path: '/revoke', body: { token }, accept })
    expect([revoked.status, revoked.body]).toEqual([200, {}])
    const after = await client.client.sendAs(own, 'GET', '/account')
    expect(after.status).toBe(401)
  })

  test('changing the password and removing the account', async () => {
    const own = await client.signUp(someEmail(), GOOD_PASSWORD)
    const password = 'quite another password'
    const changed = await client.send({
      method: 'PUT',
      path: '/account/password',
      session: own,
      body: { current_password: GOOD_PASSWORD, new_password: password },
    })
    expect(changed.status).toBe(200)
    const fresh = { accessJws: await client.client.open(changed.claims!.body.access_token) }
    const removed = await client.send({
      method: 'DELETE',
      path: '/account',
      session: fresh,
      body: { password },
    })
    expect([removed.status, removed.text]).toEqual([204, ''])
  })

  test('with key-bound tokens', async () => {
    const bound = await SealingClient.registered(server, { key_bound_tokens: true })
    const own = await bound.signUp(someEmail(), GOOD_PASSWORD)
    const body = { name: 'Zoë' }
    const answer = await bound.send({ method: 'PATCH', path: '/account', session: own, body })
    expect([answer.status, answer.claims?.body.account.name]).toEqual([200, 'Zoë'])
  })

  test('naming an invalid member', async () => {
    const body = { email, client_id: client.id }
    const answer = await client.send({ method: 'POST', path: '/account/login', body, accept })
    expect([answer.status, answer.body.error_description]).toEqual([
      400,
      'password must be a string.',
    ])
  })
})

test('plain bodies and answers stay plain', async () => {
  const plain = await TestClient.registered(server.url)
  const session = await plain.signUp()
  const answer = await plain.sendAs(session, 'GET', '/account')
  expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8')
  expect(answer.body.database_key).toBe(session.databaseKey)
})

test('the content of a sealed body is limited to 64 KiB', async () => {
  const body = { email: 'x'.repeat(47_000), password: GOOD_PASSWORD, client_id: client.id }
  const request = { method: 'POST', path: '/account', body, accept }
  const fits = await client.send(request)
  expect([fits.status, fits.body.error_description]).toEqual([400, 'email is too long.'])
  const over = await client.send({ ...request, body: { email: 'x'.repeat(50_000) } })
  expect([over.status, over.body.error]).toEqual([413, 'payload_too_large'])
})

test('the media type is matched without regard to case, and may have a charset', async () => {
  const email = someEmail()
  const answer = await client.send({
    method: 'POST',
    path: '/account',
    accept,
    type: 'Application/JOSE; charset=UTF-8',
    body: { email, password: GOOD_PASSWORD, client_id: client.id },
  })
  expect([answer.status, answer.body.account.email]).toEqual([201, email])
})

test('an empty sealed body is refused', async () => {
  const answer = await client.send({ method: 'POST', path: '/account', bytes: '', accept })
  expect([answer.status, answer.body.error_description]).toEqual([400, 'A body is required.'])
})

test('a server without the feature refuses sealed bodies', async () => {
  const without = await startTestServer()
  const other = await SealingClient.registered(without)
  const body = { email: someEmail(), password: GOOD_PASSWORD, client_id: other.id }
  const answer = await other.send({ method: 'POST', path: '/account', body })
  expect([answer.status, answer.body.error]).toEqual([415, 'unsupported_media_type'])
  await without.stop()
})

test('the metadata says that sealed bodies are optional', async () => {
  const { body } = await client.client.send('GET', '/.well-known/oauth-authorization-server')
  expect(body.sealed_bodies).toBe('optional')
})
