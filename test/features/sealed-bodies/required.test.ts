import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { defineFeature } from '../../../server/feature.ts'
import { secretBody } from '../../../server/http/route-table.ts'
import { sealedBodies } from '../../../server/features/sealed-bodies/index.ts'
import { loadConfig } from '../../../server/config/config.ts'
import { GOOD_PASSWORD, someEmail, type TestSession } from '../../support/client.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'
import { SealingClient } from './sealing-client.ts'

const GRANT = 'urn:example:grant'
/** A grant whose body has a secret. */
const granting = defineFeature({
  create: () => ({
    grants: {
      [GRANT]: secretBody((ctx) => {
        ctx.body = { granted: true }
      }),
    },
  }),
})

let server: TestServer
let client: SealingClient
let email: string
let session: TestSession
beforeAll(async () => {
  server = await startTestServer({
    features: [sealedBodies, granting],
    variables: { SEALED_BODIES: 'required' },
  })
  client = await SealingClient.registered(server)
  email = someEmail()
  session = await client.signUp(email, GOOD_PASSWORD)
})
afterAll(() => server.stop())

const accept = 'application/json'

test.each(['', 'on', 'Required'])('SEALED_BODIES=%s stops the start', (SEALED_BODIES) => {
  expect(() => loadConfig([sealedBodies], { SEALED_BODIES }, '/nonexistent/.env')).toThrow(
    /^SEALED_BODIES /,
  )
})

test('the metadata says that sealed bodies are required', async () => {
  const { body } = await client.client.send('GET', '/.well-known/oauth-authorization-server')
  expect(body.sealed_bodies).toBe('required')
})

test.each<[string, string, object, boolean]>([
  ['POST', '/account', { email: 'new@mail.test', password: GOOD_PASSWORD }, false],
  ['POST', '/account/login', { password: GOOD_PASSWORD }, false],
  ['POST', '/token', { grant_type: GRANT }, false],
  ['PUT', '/account/password', { current_password: 'x', new_password: 'y' }, true],
  ['DELETE', '/account', { password: 'x' }, true],
])('%s %s with %j must be sealed', async (method, path, members, isSignedIn) => {
  const request = {
    method,
    path,
    accept,
    body: { email, client_id: client.id, ...members },
    ...(isSignedIn ? { session } : {}),
  }
  const plain = await client.send({
    ...request,
    type: 'application/json',
    bytes: JSON.stringify(request.body),
  })
  expect([plain.status, plain.body.error]).toEqual([400, 'sealed_body_required'])
  const sealed = await client.send(request)
  expect(sealed.status).not.toBe(401)
  expect(sealed.body.error).not.toBe('sealed_body_required')
})

test('bodies without a secret can be plain', async () => {
  const renamed = await client.client.sendAs(session, 'PATCH', '/account', { name: 'Zoë' })
  expect(renamed.status).toBe(200)
  const refresh_token = await client.client.seal(session.refreshJws)
  const body = { grant_type: 'refresh_token', refresh_token }
  expect((await client.client.send('POST', '/token', body)).status).toBe(200)
})

test('only sealed answers have the database key', async () => {
  const plain = await client.client.sendAs(session, 'GET', '/account')
  expect([plain.status, Object.keys(plain.body)]).toEqual([200, ['account', 'session_id']])
  const sealed = await client.send({ method: 'GET', path: '/account', session })
  expect(sealed.claims?.body.database_key).toBe(session.databaseKey)

  const body = { email, password: GOOD_PASSWORD, client_id: client.id }
  const login = await client.send({ method: 'POST', path: '/account/login', body, accept })
  expect([login.status, login.body.database_key]).toEqual([200, undefined])
  expect(login.body.access_token).toEqual(expect.any(String))
  // An answer that could not be sealed does not have it either.
  const untied = await client.send({ method: 'GET', path: '/account', session, binding: null })
  expect([untied.status, untied.text.includes(session.databaseKey)]).toEqual([400, false])
})
