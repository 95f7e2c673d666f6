import { afterAll, beforeAll, expect, test } from '@jest/globals'
import type { Algorithms } from '../../protocol/algorithms.ts'
import { createClients, recipientOf } from '../../server/clients/clients.ts'
import { someEmail, TestClient } from '../support/client.ts'
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

test('a client keeps the algorithm that it was registered for', async () => {
  const found = await createClients(after.database, after.clock, after.config).find(client.id)
  expect(recipientOf(found!)).toMatchObject({ kid: client.id, alg: 'ECDH-ES+A128KW' })
})

test('find returns undefined for an unknown client', async () => {
  expect(
    await createClients(after.database, after.clock, after.config).find('nobody'),
  ).toBeUndefined()
})

test('a registered client can still sign in after the curve changes', async () => {
  const elsewhere = Object.assign(Object.create(client) as TestClient, { url: after.url })
  const session = await elsewhere.login(email)
  expect(session.accessJws.split('.')).toHaveLength(3)
})
