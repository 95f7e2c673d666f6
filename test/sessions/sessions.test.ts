import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { decodeJwt } from 'jose'
import { createAccounts, type Account } from '../../server/accounts/accounts.ts'
import { createClients, type Client } from '../../server/clients/clients.ts'
import { createSessions, removeAllSessions, type Sessions } from '../../server/sessions/sessions.ts'
import type { AccessTokenClaims } from '../../server/token/kinds.ts'
import { someEmail, TestClient } from '../support/client.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

let server: TestServer
let sessions: Sessions
let testClient: TestClient
let client: Client
let account: Account

beforeAll(async () => {
  server = await startTestServer()
  const { database, config, keystore, clock } = server
  const context = { issuer: config.issuer, algorithms: config.algorithms, keystore, clock }
  sessions = createSessions(database, context, { accessTokenTtl: 60, refreshTokenTtl: 3600 })
  testClient = await TestClient.registered(server.url)
  client = (await createClients(database, clock).find(testClient.id))!
  account = (await createAccounts(database, clock).create({
    email: someEmail(),
    name: undefined,
    passwordHash: 'none',
  }))!
})
afterAll(() => server.stop())

const start = async () => {
  const signedIn = await sessions.start(account, client)
  const access = decodeJwt(await testClient.open(signedIn.access_token))
  const refresh = decodeJwt(await testClient.open(signedIn.refresh_token))
  return { signedIn, access: access as unknown as AccessTokenClaims, refresh }
}

test('a session starts with tokens of the configured lifetimes', async () => {
  const { signedIn, access, refresh } = await start()
  const iat = Math.floor(server.clock() / 1000)
  expect(signedIn.expires_in).toBe(60)
  expect(access).toMatchObject({ iat, exp: iat + 60, sid: signedIn.session_id })
  expect(refresh).toMatchObject({ iat, exp: iat + 3600, sid: signedIn.session_id })
  expect(access.jti).not.toBe(refresh.jti)
})

test('what is stored is neither a token nor a readable database key', async () => {
  const { signedIn } = await start()
  const row = await server.database
    .selectFrom('sessions')
    .selectAll()
    .where('id', '=', signedIn.session_id)
    .executeTakeFirstOrThrow()
  expect(row).toEqual({
    id: signedIn.session_id,
    account_id: account.id,
    client_id: client.id,
    database_key: expect.stringMatching(/^eyJ(?:[\w-]+\.){4}[\w-]+$/),
    created_at: server.clock(),
    last_used_at: server.clock(),
  })
  const stored = JSON.stringify(row)
  expect(stored).not.toContain(signedIn.database_key)
  expect(stored).not.toContain(signedIn.access_token)
  expect(stored).not.toContain(signedIn.refresh_token)
})

test('a session is alive for its own account and client only, until it ends', async () => {
  const { access } = await start()
  expect(await sessions.findAlive(access)).toEqual({
    id: access.sid,
    clientId: client.id,
    account,
    sealedDatabaseKey: expect.any(String),
  })
  expect(await sessions.findAlive({ ...access, sub: 'another' })).toBeUndefined()
  expect(await sessions.findAlive({ ...access, client_id: 'another' })).toBeUndefined()
  expect(await sessions.findAlive({ ...access, sid: 'another' })).toBeUndefined()
  await sessions.end(access.sid)
  expect(await sessions.findAlive(access)).toBeUndefined()
  await expect(sessions.end(access.sid)).resolves.toBeUndefined()
})

test('all sessions are removed, and counted', async () => {
  await removeAllSessions(server.database)
  const { access } = await start()
  await start()
  expect(await removeAllSessions(server.database)).toBe(2)
  expect(await sessions.findAlive(access)).toBeUndefined()
  expect(await removeAllSessions(server.database)).toBe(0)
})
