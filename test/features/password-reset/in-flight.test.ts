/** Requests of a session that were in progress when a reset replaced the password. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { GOOD_PASSWORD, someEmail, TestClient, type TestSession } from '../../support/client.ts'
import { createHeldHasher } from '../../support/passwords.ts'
import { resetTokenFor, startResetServer, UNLIMITED, type ResetServer } from './reset-server.ts'

const OWNERS_PASSWORD = 'the one that the owner has chosen'
const THIEFS_PASSWORD = 'the one that a thief would like'

const hasher = createHeldHasher()
let server: ResetServer
let client: TestClient
beforeAll(async () => {
  server = await startResetServer({ config: { rateLimits: UNLIMITED }, passwords: hasher })
  client = await TestClient.registered(server.url)
})
afterAll(() => server.stop())

const tryLogin = async (email: string, password: string) =>
  (await client.send('POST', '/account/login', { email, password, client_id: client.id })).status
const statusOf = async (session: TestSession) =>
  (await client.sendAs(session, 'GET', '/account')).status

const change = { current_password: GOOD_PASSWORD, new_password: THIEFS_PASSWORD }
test.each([
  ['DELETE', '/account', { password: GOOD_PASSWORD }, 'verify'],
  ['PUT', '/account/password', change, 'verify'],
  ['PUT', '/account/password', change, 'hash'],
] as const)('%s %s with %j, waiting to %s, changes nothing', async (...request) => {
  const [method, path, body, work] = request
  const email = someEmail()
  const session = await client.signUp(email)
  const { reached, release } = hasher.hold(work)
  const late = client.sendAs(session, method, path, body)
  await reached
  const token = await resetTokenFor(server, client, email)
  const reset = { token, new_password: OWNERS_PASSWORD }
  expect((await client.send('PUT', '/account/password-reset', reset)).status).toBe(204)
  release()
  const { status, body: answer } = await late
  expect([status, answer.error]).toEqual([401, 'invalid_token'])
  expect(await statusOf(session)).toBe(401)
  expect(await tryLogin(email, OWNERS_PASSWORD)).toBe(200)
  expect(await tryLogin(email, THIEFS_PASSWORD)).toBe(401)
})
