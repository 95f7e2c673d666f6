import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { someEmail, TestClient } from '../../support/client.ts'
import { logLines } from '../../support/log-lines.ts'
import { mailedToken, startResetServer, UNLIMITED, type ResetServer } from './reset-server.ts'

const NEW_PASSWORD = 'another brick in the wall'

let server: ResetServer
let client: TestClient
beforeAll(async () => {
  server = await startResetServer({ config: { rateLimits: UNLIMITED } })
  client = await TestClient.registered(server.url)
})
afterAll(() => server.stop())

/** The audit lines of one request. */
const audited = async (id: string, method: string, body: unknown) => {
  await client.send(method, '/account/password-reset', body, { 'x-request-id': id })
  await server.background.idle()
  return logLines(server, id).filter((line) => 'audit' in line)
}

test('a reset is recorded with each session that it ended, and without secrets', async () => {
  const email = someEmail()
  const session = await client.signUp(email)
  const account_id = session.answer.body.account.id as string
  expect(await audited('asked', 'POST', { email })).toEqual([])
  const token = await mailedToken(server, email)
  const body = { token, new_password: NEW_PASSWORD }
  const lines = await audited('done', 'PUT', body)
  expect(lines).toEqual([
    expect.objectContaining({ level: 'info', audit: 'password_reset', account_id }),
    expect.objectContaining({
      level: 'info',
      audit: 'session_ended',
      account_id,
      session_id: session.sessionId,
    }),
  ])
  for (const secret of [email, NEW_PASSWORD, ...token.split('.').filter((p) => p.length > 20)]) {
    expect(JSON.stringify(lines)).not.toContain(secret)
  }
  expect(await audited('again', 'PUT', body)).toEqual([])
})
