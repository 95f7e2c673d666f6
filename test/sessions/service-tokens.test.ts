import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { CompactSign, type JWK } from 'jose'
import { TestClient } from '../support/client.ts'
import { PLAIN_PATH, plainRoute } from '../support/plain-route.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

let server: TestServer
let client: TestClient
let jws: string
beforeAll(async () => {
  server = await startTestServer({ features: [plainRoute] })
  client = await TestClient.registered(server.url)
  jws = await mint(client.publicJwk)
})
afterAll(() => server.stop())

const now = () => Math.floor(server.clock() / 1000)

/** A service token of `client`, as the server issues it. */
async function mint({ kty, crv, x, y }: JWK): Promise<string> {
  const { id } = client
  const cnf = { jwk: { kty, crv, x, y } }
  const own = { sub: id, aud: id, client_id: id, scope: 'user admin', cnf }
  const times = { iat: now(), exp: now() + 900, jti: randomUUID() }
  const claims = { iss: server.config.issuer, ...own, ...times }
  const { alg, kid, privateKey } = server.keystore.signingKey
  return new CompactSign(new TextEncoder().encode(JSON.stringify(claims)))
    .setProtectedHeader({ alg, kid, typ: 'at+jwt' })
    .sign(privateKey)
}

const bindTo = (htm: string, path: string) => ({
  jti: randomUUID(),
  iat: now(),
  htm,
  htu: server.config.issuer + path,
})

const ask = async (req: object, method = 'GET', path = '/account') =>
  client.send(method, path, undefined, {
    authorization: `Bearer ${await client.seal(jws, { req })}`,
  })

test.each([
  ['GET', '/account'],
  ['DELETE', PLAIN_PATH],
  ['POST', '/account/logout'],
])('a service token is refused with 403 at %s %s, which is for people', async (method, path) => {
  const answer = await ask(await client.prove(jws, bindTo(method, path)), method, path)
  expect(answer.status).toBe(403)
  expect(answer.body.error).toBe('insufficient_scope')
  expect(answer.headers.get('www-authenticate')).toContain('error="insufficient_scope"')
})

test('a service token is refused like any token if it is not proven, or for another request', async () => {
  const unproven = await ask(bindTo('GET', '/account'))
  expect([unproven.status, unproven.body.error]).toEqual([401, 'invalid_token'])
  const elsewhere = await ask(await client.prove(jws, bindTo('GET', PLAIN_PATH)))
  expect([elsewhere.status, elsewhere.body.error]).toEqual([401, 'invalid_token'])
})

test('a service token ends nothing at /revoke', async () => {
  const token = await client.seal(jws, { req: await client.prove(jws, bindTo('POST', '/revoke')) })
  const answer = await client.send('POST', '/revoke', { token })
  expect([answer.status, answer.body]).toEqual([200, {}])
  expect(server.logs.join('')).not.toContain('session_ended')
})
