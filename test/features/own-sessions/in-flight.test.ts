/** Requests that were in progress when their session was ended from elsewhere, and renewals. */
import { createHash, randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { ownSessions } from '../../../server/features/own-sessions/index.ts'
import { GOOD_PASSWORD, someEmail, TestClient, type TestSession } from '../../support/client.ts'
import { UNLIMITED } from '../../support/config.ts'
import { createHeldReplayCache } from '../../support/held-replay-cache.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'

const { replayCache, holdBound } = createHeldReplayCache()

let server: TestServer
let client: TestClient
beforeAll(async () => {
  server = await startTestServer({
    features: [ownSessions],
    config: { rateLimits: UNLIMITED },
    replayCache,
  })
  client = await TestClient.registered(server.url)
})
afterAll(() => server.stop())

/** For example a thief's session, and the owner's. */
let session: TestSession
let owner: TestSession
beforeEach(async () => {
  const email = someEmail()
  session = await client.signUp(email)
  owner = await client.login(email)
})

type Request = readonly [method: string, path: () => string, body?: unknown]
const END_ONE: Request = ['DELETE', () => `/account/sessions/${owner.sessionId}`]
const END_OTHERS: Request = ['DELETE', () => '/account/sessions']

/** What the owner does in the meantime. */
const ENDINGS: Readonly<Record<string, () => Promise<{ readonly status: number }>>> = {
  'it was ended elsewhere': () =>
    client.sendAs(owner, 'DELETE', `/account/sessions/${session.sessionId}`),
  'all others were ended': () => client.sendAs(owner, 'DELETE', '/account/sessions'),
  'it was signed out': () => client.sendAs(session, 'POST', '/account/logout'),
  'the password was changed elsewhere': () =>
    client.sendAs(owner, 'PUT', '/account/password', {
      current_password: GOOD_PASSWORD,
      new_password: 'the one that the owner has chosen',
    }),
}

describe.each<[string, Request]>([
  ['the end of another session', END_ONE],
  ['the end of all others', END_OTHERS],
  ['a new name', ['PATCH', () => '/account', { name: 'Mallory' }]],
  ['the removal of the account', ['DELETE', () => '/account', { password: GOOD_PASSWORD }]],
])('a request for %s, with its session already checked,', (_what, [method, where, body]) => {
  /** Sends the request, and holds it after its session was found alive. */
  async function begin() {
    const path = where()
    const bytes = body === undefined ? undefined : JSON.stringify(body)
    const digest = (text: string) => createHash('sha256').update(text).digest('base64url')
    const req = {
      jti: randomUUID(),
      iat: Math.floor(server.clock() / 1000),
      htm: method,
      htu: server.config.issuer + path,
      ...(bytes === undefined ? {} : { dig: digest(bytes) }),
    }
    const authorization = `Bearer ${await client.seal(session.accessJws, { req })}`
    const { reached, release } = holdBound()
    const answer = client.send(method, path, bytes, { authorization })
    await reached
    return { answer, release }
  }
  const state = async () => [
    await server.database.selectFrom('accounts').selectAll().orderBy('id').execute(),
    await server.database.selectFrom('sessions').selectAll().orderBy('id').execute(),
  ]

  test.each(Object.entries(ENDINGS))('changes nothing if %s', async (_, end) => {
    const { answer, release } = await begin()
    expect([200, 204]).toContain((await end()).status)
    const before = await state()
    release()
    const { status, body: refused } = await answer
    expect([status, refused.error]).toEqual([401, 'invalid_token'])
    expect(await state()).toEqual(before)
  })

  test('takes effect if nothing happens meanwhile', async () => {
    const { answer, release } = await begin()
    const before = await state()
    release()
    expect([200, 204]).toContain((await answer).status)
    expect(await state()).not.toEqual(before)
  })
})

test.each<keyof typeof ENDINGS>(['it was ended elsewhere', 'all others were ended'])(
  'renewals fail with nothing worse than a refusal while %s',
  async (ending) => {
    const refresh = async (jws: string) =>
      client.send('POST', '/token', {
        grant_type: 'refresh_token',
        refresh_token: await client.seal(jws),
      })
    const state = { isEnded: false }
    const ended = ENDINGS[ending]!().finally(() => (state.isEnded = true))
    const accessTokens = [session.accessJws]
    let { refreshJws } = session
    // Bursts, each with a token of the one before, until the session has ended.
    for (let isOver = false; !isOver;) {
      const isTooLate = state.isEnded
      const burst = await Promise.all([1, 2, 3].map(() => refresh(refreshJws)))
      const good = burst.filter(({ status }) => status === 200)
      for (const { status, body } of burst) {
        if (status !== 200) expect([status, body.error]).toEqual([400, 'invalid_grant'])
      }
      for (const { body } of good) {
        accessTokens.push(await client.open(body.access_token))
        refreshJws = await client.open(body.refresh_token)
      }
      if (isTooLate) expect(good).toEqual([])
      isOver = good.length === 0
    }
    expect((await ended).status).toBe(204)
    for (const accessJws of accessTokens.slice(-6)) {
      expect((await client.sendAs({ accessJws }, 'GET', '/account')).status).toBe(401)
    }
    expect((await refresh(refreshJws)).status).toBe(400)
    expect(server.logs.filter((line) => line.includes('refresh_reused'))).toEqual([])
  },
)
