import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { ownSessions } from '../../../server/features/own-sessions/index.ts'
import { someEmail, TestClient, type TestSession } from '../../support/client.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'

let server: TestServer
let client: TestClient
beforeAll(async () => {
  server = await startTestServer({ features: [ownSessions] })
  client = await TestClient.registered(server.url)
})
afterAll(() => server.stop())

const list = async (session: TestSession, owner = client) => {
  const answer = await owner.sendAs(session, 'GET', '/account/sessions')
  return {
    answer,
    sessions: answer.body.sessions as Record<string, unknown>[],
    ids: (answer.body.sessions as { session_id: string }[]).map(({ session_id }) => session_id),
  }
}
const statusOf = async (session: TestSession, owner = client) =>
  (await owner.sendAs(session, 'GET', '/account')).status
const end = (session: TestSession, id = '', owner = client) =>
  owner.sendAs(session, 'DELETE', `/account/sessions${id === '' ? '' : `/${id}`}`)
const at = (time: number) => new Date(time).toISOString()

/** A client with a name. */
async function named(name: string): Promise<TestClient> {
  const phone = await TestClient.create(server.url)
  const { body } = await phone.send('POST', '/clients', {
    client_name: name,
    jwks: { keys: [phone.publicJwk] },
  })
  phone.id = body.client_id
  return phone
}

test('the list has every session with its client and times, the newest first', async () => {
  const email = someEmail()
  const phone = await named('Ada’s phone')
  const first = await client.signUp(email)
  const firstAt = server.clock()
  server.clock.advance(10)
  const second = await phone.login(email)
  const secondAt = server.clock()
  server.clock.advance(120)
  await client.signUp()

  const { answer } = await list(first)
  expect(answer.status).toBe(200)
  expect(answer.headers.get('cache-control')).toBe('no-store')
  const entry = { session_id: first.sessionId, client_id: client.id, client_name: null }
  const other = { session_id: second.sessionId, client_id: phone.id, client_name: 'Ada’s phone' }
  expect(answer.body).toEqual({
    sessions: [
      { ...other, created_at: at(secondAt), last_used_at: at(secondAt), current: false },
      { ...entry, created_at: at(firstAt), last_used_at: at(server.clock()), current: true },
    ],
  })
  const seenFromThere = (await list(second, phone)).sessions
  expect(seenFromThere.map(({ current }) => current)).toEqual([true, false])
})

test('the list leaves out expired sessions', async () => {
  const own = await startTestServer({ features: [ownSessions], config: { refreshTokenTtl: 1000 } })
  try {
    const phone = await TestClient.registered(own.url)
    const email = someEmail()
    await phone.signUp(email)
    own.clock.advance(999)
    const current = await phone.login(email)
    expect((await list(current, phone)).sessions).toHaveLength(2)
    own.clock.advance(1)
    expect((await list(current, phone)).ids).toEqual([current.sessionId])
  } finally {
    await own.stop()
  }
})

test('a session can end another, whose tokens are refused at once', async () => {
  const email = someEmail()
  const [one, two, three] = [
    await client.signUp(email),
    await client.login(email),
    await client.login(email),
  ]
  const answer = await end(one, two.sessionId)
  expect([answer.status, answer.text]).toEqual([204, ''])
  expect([await statusOf(one), await statusOf(two), await statusOf(three)]).toEqual([200, 401, 200])
  const refreshed = await client.send('POST', '/token', {
    grant_type: 'refresh_token',
    refresh_token: await client.seal(two.refreshJws),
  })
  expect([refreshed.status, refreshed.body.error]).toEqual([400, 'invalid_grant'])
  expect((await list(one)).ids.sort()).toEqual([one.sessionId, three.sessionId].sort())

  const again = await end(one, two.sessionId)
  expect([again.status, again.body.error]).toEqual([404, 'not_found'])
})

test('a session can end itself', async () => {
  const session = await client.signUp()
  expect((await end(session, session.sessionId)).status).toBe(204)
  expect(await statusOf(session)).toBe(401)
})

test('a session of another account is answered like an unknown one', async () => {
  const [ada, bob] = [await client.signUp(), await client.signUp()]
  const theirs = await end(ada, bob.sessionId)
  const nothing = await end(ada, crypto.randomUUID())
  expect([theirs.status, theirs.body.error]).toEqual([404, 'not_found'])
  expect(nothing.text).toBe(theirs.text)
  expect(await statusOf(bob)).toBe(200)
  for (const id of ['%00', '%F0%9F%98%80', 'x'.repeat(2000), "'%20or%20''='"]) {
    expect((await end(ada, id)).status).toBe(404)
  }
  expect([await statusOf(ada), await statusOf(bob)]).toEqual([200, 200])
})

test('a session can end all others of its account, and of no other account', async () => {
  const email = someEmail()
  const bystander = await client.signUp()
  const others = [await client.signUp(email), await client.login(email)]
  const current = await client.login(email)
  const answer = await end(current)
  expect([answer.status, answer.text]).toEqual([204, ''])
  for (const other of others) expect(await statusOf(other)).toBe(401)
  expect([await statusOf(current), await statusOf(bystander)]).toEqual([200, 200])
  expect((await list(current)).ids).toEqual([current.sessionId])
  expect((await end(current)).status).toBe(204)
  expect(await statusOf(current)).toBe(200)
  const ended = server.logs.filter(
    (line) =>
      line.includes('"audit":"session_ended"') && others.some((o) => line.includes(o.sessionId)),
  )
  expect(ended).toHaveLength(2)
})

test.each([
  ['GET', '/account/sessions'],
  ['DELETE', '/account/sessions'],
  ['DELETE', '/account/sessions/x'],
])('%s %s needs an access token', async (method, path) => {
  const answer = await client.send(method, path)
  expect([answer.status, answer.body.error]).toEqual([401, 'invalid_token'])
})

test('last_used_at changes at most once a minute', async () => {
  const session = await client.signUp()
  const lastUsed = async () => (await list(session)).sessions[0]!['last_used_at'] as string
  const created = at(server.clock())
  server.clock.advance(59)
  expect(await lastUsed()).toBe(created)
  server.clock.advance(1)
  const used = at(server.clock())
  expect(await lastUsed()).toBe(used)
  server.clock.advance(59)
  expect(await lastUsed()).toBe(used)
})
