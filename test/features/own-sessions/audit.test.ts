import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { ownSessions } from '../../../server/features/own-sessions/index.ts'
import { someEmail, TestClient, type TestSession } from '../../support/client.ts'
import { logLines } from '../../support/log-lines.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'

let server: TestServer
let client: TestClient
beforeAll(async () => {
  server = await startTestServer({ features: [ownSessions] })
  client = await TestClient.registered(server.url)
})
afterAll(() => server.stop())

/** The audit lines of one request. */
async function audited(id: string, session: TestSession, path: string) {
  const authorization = `Bearer ${await client.seal(session.accessJws)}`
  await client.send('DELETE', path, undefined, { authorization, 'x-request-id': id })
  return logLines(server, id).filter((line) => 'audit' in line)
}
const ended = (session: TestSession) =>
  expect.objectContaining({
    level: 'info',
    audit: 'session_ended',
    session_id: session.sessionId,
    account_id: session.answer.body.account.id,
  })

test('session_ended is recorded once when the owner ends one session', async () => {
  const email = someEmail()
  const [session, other] = [await client.signUp(email), await client.login(email)]
  const path = `/account/sessions/${other.sessionId}`
  expect(await audited('first', session, path)).toEqual([ended(other)])
  expect(await audited('again', session, path)).toEqual([])
})

test('session_ended is recorded for each session when the owner ends all others', async () => {
  const email = someEmail()
  const session = await client.signUp(email)
  const others = [await client.login(email), await client.login(email)]
  const lines = await audited('others', session, '/account/sessions')
  expect(lines).toHaveLength(2)
  for (const other of others) expect(lines).toContainEqual(ended(other))
  expect(await audited('no others', session, '/account/sessions')).toEqual([])
})
