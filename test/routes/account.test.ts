import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { TestClient } from '../support/client.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

let server: TestServer
let client: TestClient

beforeAll(async () => {
  server = await startTestServer()
  client = await TestClient.registered(server.url)
})
afterAll(() => server.stop())

test('the whole round trip: sign up, read the account, sign out', async () => {
  const session = await client.signUp('Ada@Example.org')
  const read = await client.sendAs(session, 'GET', '/account')
  expect(read.status).toBe(200)
  expect(read.body).toEqual({
    account: session.answer.body.account,
    session_id: session.sessionId,
    database_key: session.databaseKey,
  })
  expect((await client.sendAs(session, 'POST', '/account/logout')).status).toBe(204)
  expect((await client.sendAs(session, 'GET', '/account')).status).toBe(401)
})
