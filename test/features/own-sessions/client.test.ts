/** The client's methods for the sessions of one's account. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { ownSessions } from '../../../server/features/own-sessions/index.ts'
import { clientOf, codeOf, errorOf, signedUp, startServer } from '../../support/auth-client.ts'
import { GOOD_PASSWORD } from '../../support/client.ts'
import type { TestServer } from '../../support/server.ts'

let server: TestServer
beforeAll(async () => {
  server = await startServer({ requestBinding: 'required' }, { features: [ownSessions] })
})
afterAll(() => server.stop())

test('lists its sessions, and ends one of them or all but the current one', async () => {
  const { client, email } = await signedUp(server, { clientName: 'first' })
  const others = ['second', 'third'].map((clientName) => clientOf(server, { clientName }).client)
  for (const other of others) {
    server.clock.advance(1)
    await other.signIn({ email, password: GOOD_PASSWORD })
  }
  const sessions = await client.account.sessions()
  expect(sessions).toHaveLength(3)
  expect(sessions.map(({ client_name }) => client_name).sort()).toEqual([
    'first',
    'second',
    'third',
  ])
  expect(sessions.filter(({ current }) => current)).toMatchObject([
    { session_id: client.session?.sessionId, client_id: client.session?.clientId },
  ])
  await client.account.endSession(others[0]!.session!.sessionId)
  expect(await codeOf(others[0]!.fetch('/account'))).toBe('session_ended')
  expect(await errorOf(client.account.endSession('../../account'))).toMatchObject({ status: 404 })
  await client.account.endOtherSessions()
  expect(await codeOf(others[1]!.fetch('/account'))).toBe('session_ended')
  expect(await client.account.sessions()).toHaveLength(1)
})

const entry = {
  session_id: 's',
  client_id: 'c',
  client_name: 1,
  created_at: 'x',
  last_used_at: 'x',
  current: true,
}
test.each<[string, unknown]>([
  ['no list', undefined],
  ['an entry that is text', ['x']],
  ['no session_id', [{ ...entry, session_id: '' }]],
  ['no client_id', [{ ...entry, client_id: 1 }]],
  ['no created_at', [{ ...entry, created_at: null }]],
  ['no last_used_at', [{ ...entry, last_used_at: undefined }]],
  ['no current', [{ ...entry, current: 'yes' }]],
])('sessions with %s are a bad answer', async (_name, sessions) => {
  const { client, wire } = await signedUp(server)
  wire.change('GET /account/sessions', { sessions })
  expect(await codeOf(client.account.sessions())).toBe('bad_answer')
  wire.change('GET /account/sessions', { sessions: [entry] })
  expect(await client.account.sessions()).toEqual([{ ...entry, client_name: null }])
})
