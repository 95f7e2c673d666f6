import { afterAll, beforeAll, expect, test } from '@jest/globals'
import type { Algorithms } from '../../server/keystore/algorithms.ts'
import { createClients, recipientOf } from '../../server/clients/clients.ts'
import { GOOD_PASSWORD, someEmail, TestClient } from '../support/client.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

/** The same database, before and after the operator chose another curve. */
const X25519: Algorithms = {
  signingAlg: 'ES256',
  encryptionAlg: 'ECDH-ES+A128KW',
  encryptionEnc: 'A128GCM',
  encryptionCrv: 'X25519',
}
let before: TestServer
let after: TestServer
let client: TestClient
const email = someEmail()

beforeAll(async () => {
  before = await startTestServer()
  client = await TestClient.registered(before.url)
  await client.signUp(email)
  after = await startTestServer({ database: before.database, config: { algorithms: X25519 } })
})
afterAll(async () => {
  await after.stop()
  await before.stop()
})

const countRows = async () => ({
  accounts: (await after.database.selectFrom('accounts').selectAll().execute()).length,
  sessions: (await after.database.selectFrom('sessions').selectAll().execute()).length,
})

test('a key of another curve than the configured one is not encrypted to', async () => {
  const found = await createClients(after.database, after.clock).find(client.id)
  await expect(recipientOf(found!, X25519)).rejects.toMatchObject({ code: 'public_key_unusable' })
  await expect(recipientOf(found!, before.config.algorithms)).resolves.toMatchObject({
    kid: client.id,
  })
})

test('a client that is not there is undefined', async () => {
  expect(await createClients(after.database, after.clock).find('nobody')).toBeUndefined()
})

test.each([
  ['signing up', '/account', () => someEmail()],
  ['signing in', '/account/login', () => email],
])('%s with such a client stores nothing and gives no token', async (_, path, address) => {
  const rows = await countRows()
  const answer = await fetch(after.url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ email: address(), password: GOOD_PASSWORD, client_id: client.id }),
  })
  expect(await answer.text()).not.toContain('token')
  expect(await countRows()).toEqual(rows)
  // The client can mend it, by registering again: it is not the server that failed.
  expect(answer.status).toBe(400)
})
