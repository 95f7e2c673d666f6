import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { createHash, randomUUID } from 'node:crypto'
import { decodeJwt } from 'jose'
import { sql } from 'kysely'
import {
  GOOD_PASSWORD,
  someEmail,
  TestClient,
  type Answer,
  type TestSession,
} from '../support/client.ts'
import { SCOPED_PATH, scopedRoute } from '../support/scoped-route.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

const OFF = {
  rateLimits: { login: 'off', signUp: 'off', clients: 'off', refresh: 'off' },
} as const

let server: TestServer
let client: TestClient
beforeAll(async () => {
  server = await startTestServer({ config: OFF, features: [scopedRoute] })
  client = await TestClient.registered(server.url)
})
afterAll(() => server.stop())

const FORM = { 'content-type': 'application/x-www-form-urlencoded' }

const refresh = async (jws: string, members: Record<string, unknown> = {}): Promise<Answer> =>
  client.send('POST', '/token', {
    grant_type: 'refresh_token',
    refresh_token: await client.seal(jws),
    ...members,
  })
const revoke = async (jws: string): Promise<Answer> =>
  client.send('POST', '/revoke', { token: await client.seal(jws) })

const outcome = ({ status, body }: Answer): unknown[] => [status, body?.error]
const REFUSED = [400, 'invalid_grant']
const OK = [200, undefined]

/** The tokens of an answer, decrypted. */
async function opened({ status, text, body }: Answer) {
  if (status !== 200) throw new Error(`${status} ${text}`)
  return {
    accessJws: await client.open(body.access_token),
    refreshJws: await client.open(body.refresh_token),
  }
}
const jtiOfRefresh = ({ refreshJws }: { refreshJws: string }) => decodeJwt(refreshJws).jti
const statusOf = async (session: { accessJws: string }) =>
  (await client.sendAs(session, 'GET', '/account')).status

const events = (sessionId: string) =>
  server.logs
    .map((line) => JSON.parse(line) as { audit?: string; session_id?: string })
    .filter(({ audit, session_id }) => audit !== undefined && session_id === sessionId)
    .map(({ audit }) => audit)
    .filter((audit) => audit !== 'account_created' && audit !== 'login')

const tokenRows = async (sessionId: string) =>
  (
    await server.database
      .selectFrom('refresh_tokens')
      .select('jti_hash')
      .where('session_id', '=', sessionId)
      .execute()
  ).length
const sessionRows = async (sessionId: string) =>
  (await server.database.selectFrom('sessions').select('id').where('id', '=', sessionId).execute())
    .length

describe('a fresh pair', () => {
  test.each([
    ['JSON', (token: string) => client.send('POST', '/token', { ...GRANT, refresh_token: token })],
    [
      'a form',
      (token: string) =>
        client.send(
          'POST',
          '/token',
          new URLSearchParams({ ...GRANT, refresh_token: token, scope: '' }).toString(),
          FORM,
        ),
    ],
  ])('is given for a refresh token in %s', async (_, send) => {
    const session = await client.signUp()
    server.clock.advance(100)
    const answer = await send(await client.seal(session.refreshJws))
    expect(answer.status).toBe(200)
    expect(answer.headers.get('cache-control')).toBe('no-store')
    expect(answer.headers.get('pragma')).toBe('no-cache')
    expect(answer.body).toEqual({
      access_token: expect.any(String),
      refresh_token: expect.any(String),
      token_type: 'Bearer',
      expires_in: 900,
    })
    const tokens = await opened(answer)
    const [access, renewal] = [decodeJwt(tokens.accessJws), decodeJwt(tokens.refreshJws)]
    const before = decodeJwt(session.accessJws)
    const now = Math.floor(server.clock() / 1000)
    expect(access).toEqual({ ...before, iat: now, exp: now + 900, jti: access.jti })
    expect(renewal).toMatchObject({ sid: session.sessionId, exp: now + 30 * 86_400 })
    expect([access.jti, renewal.jti]).not.toContain(before.jti)
    expect(renewal.jti).not.toBe(decodeJwt(session.refreshJws).jti)
    expect(await statusOf(tokens)).toBe(200)
    // Earlier access tokens stay good: they are short-lived, and the session is alive.
    expect(await statusOf(session)).toBe(200)
    expect(events(session.sessionId)).toEqual([])
  })
  const GRANT = { grant_type: 'refresh_token' }

  test('is for its own client alone', async () => {
    const session = await client.signUp()
    const { body } = await refresh(session.refreshJws, { client_id: client.id })
    const stranger = await TestClient.registered(server.url)
    await expect(stranger.open(body.access_token)).rejects.toThrow()
    await expect(stranger.open(body.refresh_token)).rejects.toThrow()
  })

  test('does not change the database key', async () => {
    const session = await client.signUp()
    const tokens = await opened(await refresh(session.refreshJws))
    const { body } = await client.sendAs(tokens, 'GET', '/account')
    expect(body.database_key).toBe(session.databaseKey)
  })
})

describe('an invalid request is refused, and uses nothing up', () => {
  let session: TestSession
  let sealed: string
  beforeAll(async () => {
    session = await client.signUp()
    sealed = await client.seal(session.refreshJws)
  })
  const json = (body: unknown) => client.send('POST', '/token', body)
  const form = (body: string, headers = FORM) => client.send('POST', '/token', body, headers)

  test.each<[string, number, string, () => Promise<Answer>]>([
    ['no body', 400, 'invalid_request', () => json(undefined)],
    ['no grant_type', 400, 'invalid_request', () => json({ refresh_token: sealed })],
    [
      'a grant_type that is not a string',
      400,
      'invalid_request',
      () => json({ grant_type: ['refresh_token'], refresh_token: sealed }),
    ],
    [
      'an empty grant_type in a form',
      400,
      'invalid_request',
      () => form(`grant_type=&refresh_token=${sealed}`),
    ],
    [
      'another grant_type',
      400,
      'unsupported_grant_type',
      () => json({ grant_type: 'password', refresh_token: sealed }),
    ],
    [
      'a grant_type in capitals',
      400,
      'unsupported_grant_type',
      () => form(`grant_type=REFRESH_TOKEN&refresh_token=${sealed}`),
    ],
    ['no refresh_token', 400, 'invalid_request', () => json({ grant_type: 'refresh_token' })],
    [
      'a refresh_token that is not a string',
      400,
      'invalid_request',
      () => json({ grant_type: 'refresh_token', refresh_token: { sealed } }),
    ],
    [
      'a parameter twice',
      400,
      'invalid_request',
      () => form(`grant_type=refresh_token&refresh_token=${sealed}&refresh_token=${sealed}`),
    ],
    [
      'a form sent as text/plain',
      415,
      'unsupported_media_type',
      () => form(`grant_type=refresh_token`, { 'content-type': 'text/plain' }),
    ],
    ['a wider scope', 400, 'invalid_scope', () => refresh(session.refreshJws, { scope: 'admin' })],
    [
      'a scope that is partly wider',
      400,
      'invalid_scope',
      () => refresh(session.refreshJws, { scope: 'user admin' }),
    ],
    ['an empty scope', 400, 'invalid_scope', () => refresh(session.refreshJws, { scope: '' })],
    [
      'a scope that is not a string',
      400,
      'invalid_request',
      () => refresh(session.refreshJws, { scope: ['user'] }),
    ],
    [
      'another client',
      400,
      'invalid_grant',
      async () =>
        refresh(session.refreshJws, { client_id: (await TestClient.registered(server.url)).id }),
    ],
    [
      'an unknown client',
      400,
      'invalid_grant',
      () => refresh(session.refreshJws, { client_id: 'nobody' }),
    ],
    [
      'a client_id that is not a string',
      400,
      'invalid_request',
      () => refresh(session.refreshJws, { client_id: 1 }),
    ],
  ])('%s: %d %s', async (_, status, error, send) => {
    const rows = await tokenRows(session.sessionId)
    const answer = await send()
    expect(outcome(answer)).toEqual([status, error])
    expect(answer.body).toEqual({ error, error_description: expect.any(String) })
    expect(answer.headers.get('cache-control')).toBe('no-store')
    expect(await tokenRows(session.sessionId)).toBe(rows)
  })

  test('and the refresh token is still good', async () => {
    server.clock.advance(60)
    expect(outcome(await refresh(session.refreshJws))).toEqual(OK)
  })
})

describe('anything but a refresh token of ours is an invalid grant, always in the same words', () => {
  test.each<[string, (session: TestSession) => Promise<string>]>([
    ['an empty token', () => Promise.resolve('')],
    ['garbage', () => Promise.resolve('a.b.c.d.e')],
    ['over 8 KiB', () => Promise.resolve('a'.repeat(9000))],
    ['a bare JWS', ({ refreshJws }) => Promise.resolve(refreshJws)],
    ['an access token', ({ accessJws }) => client.seal(accessJws)],
    [
      'as it came, sealed to the client',
      ({ answer }) => Promise.resolve<string>(answer.body.refresh_token),
    ],
    ['a changed signature', ({ refreshJws }) => client.seal(`${refreshJws.slice(0, -4)}AAAA`)],
    ['no signature', ({ refreshJws }) => client.seal(refreshJws.replace(/[^.]*$/, ''))],
  ])('%s', async (_, token) => {
    const session = await client.signUp()
    const refreshToken = await token(session)
    const answer = await client.send('POST', '/token', {
      grant_type: 'refresh_token',
      refresh_token: refreshToken,
    })
    expect(outcome(answer)).toEqual(REFUSED)
    expect(answer.body.error_description).toBe(
      'The refresh token is not valid, has expired or was used.',
    )
    expect(events(session.sessionId)).toEqual([])
    expect(outcome(await refresh(session.refreshJws))).toEqual(OK)
  })

  test('and a refresh token is not accepted as an access token', async () => {
    const session = await client.signUp()
    expect(await statusOf({ accessJws: session.refreshJws })).toBe(401)
  })
})

test('a refresh token from the future is 503, because the clock of the server was set back', async () => {
  const session = await client.signUp()
  server.clock.advance(-3600)
  const answer = await refresh(session.refreshJws)
  server.clock.advance(3600)
  expect(outcome(answer)).toEqual([503, 'temporarily_unavailable'])
  expect(answer.headers.get('retry-after')).toBe('1')
  expect(outcome(await refresh(session.refreshJws))).toEqual(OK)
})

describe('scope', () => {
  let session: TestSession
  beforeAll(async () => {
    const { answer } = await client.signUp()
    const { id, email } = answer.body.account
    await server.database
      .updateTable('accounts')
      .set({ scope: 'user admin' })
      .where('id', '=', id)
      .execute()
    session = await client.login(email)
  })

  test('may be narrowed for one access token, and is whole again in the next', async () => {
    const narrowed = await refresh(session.refreshJws, { scope: 'user' })
    expect(narrowed.body.scope).toBe('user')
    const tokens = await opened(narrowed)
    expect(decodeJwt(tokens.accessJws)['scope']).toBe('user')
    const refused = await client.sendAs(tokens, 'GET', SCOPED_PATH)
    expect(outcome(refused)).toEqual([403, 'insufficient_scope'])

    const whole = await refresh(tokens.refreshJws)
    expect(whole.body).not.toHaveProperty('scope')
    session = { ...session, ...(await opened(whole)) }
    expect(decodeJwt(session.accessJws)['scope']).toBe('user admin')
    expect((await client.sendAs(session, 'GET', SCOPED_PATH)).status).toBe(200)
  })

  test('requesting the full scope is the same as requesting none', async () => {
    const answer = await refresh(session.refreshJws, { scope: 'user admin' })
    expect(outcome(answer)).toEqual(OK)
    session = { ...session, ...(await opened(answer)) }
    expect(decodeJwt(session.accessJws)['scope']).toBe('user admin')
  })

  test.each(['root', 'user root', 'user  admin', 'USER', ' user'])(
    '%j is refused as invalid_scope',
    async (scope) => {
      expect(outcome(await refresh(session.refreshJws, { scope }))).toEqual([400, 'invalid_scope'])
    },
  )
})

describe('rotation', () => {
  test('after a lost answer, the same token gives the same successor within the interval', async () => {
    const session = await client.signUp()
    const first = await opened(await refresh(session.refreshJws))
    server.clock.advance(10)
    const answer = await refresh(session.refreshJws)
    const second = await opened(answer)
    const [one, two] = [decodeJwt(first.refreshJws), decodeJwt(second.refreshJws)]
    // The same token, signed again: not a renewal of its own.
    expect(two).toEqual({ ...one, iat: one.iat! + 10 })
    expect(decodeJwt(second.accessJws).jti).not.toBe(decodeJwt(first.accessJws).jti)
    expect(answer.body.expires_in).toBe(900)
    expect([await statusOf(first), await statusOf(second)]).toEqual([200, 200])
    expect(await tokenRows(session.sessionId)).toBe(2)
    const next = await opened(await refresh(second.refreshJws))
    expect(await opened(await refresh(first.refreshJws)).then(jtiOfRefresh)).toBe(
      jtiOfRefresh(next),
    )
    expect(events(session.sessionId)).toEqual([])
  })

  test('a copy that is used after the interval ends the session, and is logged once', async () => {
    const email = someEmail()
    const session = await client.signUp(email)
    const bystander = await client.login(email)
    const next = await opened(await refresh(session.refreshJws))
    server.clock.advance(11)
    expect(outcome(await refresh(session.refreshJws))).toEqual(REFUSED)
    expect([await statusOf(session), await statusOf(next)]).toEqual([401, 401])
    for (const jws of [session.refreshJws, next.refreshJws]) {
      expect(outcome(await refresh(jws))).toEqual(REFUSED)
    }
    expect(events(session.sessionId)).toEqual(['refresh_reused', 'session_ended'])
    expect([await sessionRows(session.sessionId), await tokenRows(session.sessionId)]).toEqual([
      0, 0,
    ])
    const line = server.logs.find((line) => line.includes('refresh_reused'))!
    expect(JSON.parse(line)).toMatchObject({
      level: 'warn',
      account_id: session.answer.body.account.id,
      client_id: client.id,
      request_id: expect.any(String),
    })
    expect(await statusOf(bystander)).toBe(200)
    expect(outcome(await refresh(bystander.refreshJws))).toEqual(OK)
  })

  test('a copy of the last but one is refused within the interval, and ends the session later', async () => {
    const session = await client.signUp()
    const next = await opened(await refresh(session.refreshJws))
    const last = await opened(await refresh(next.refreshJws))
    server.clock.advance(10)
    expect(outcome(await refresh(session.refreshJws))).toEqual(REFUSED)
    expect(events(session.sessionId)).toEqual([])
    expect(await statusOf(last)).toBe(200)
    server.clock.advance(1)
    expect(outcome(await refresh(session.refreshJws))).toEqual(REFUSED)
    expect(await statusOf(last)).toBe(401)
    expect(events(session.sessionId)).toEqual(['refresh_reused', 'session_ended'])
  })

  test('two parties that renew with copies of one token are detected', async () => {
    const session = await client.signUp()
    const [owner, thief] = await Promise.all([
      refresh(session.refreshJws).then(opened),
      refresh(session.refreshJws).then(opened),
    ])
    expect(jtiOfRefresh(thief)).toBe(jtiOfRefresh(owner))
    server.clock.advance(800)
    const renewed = await opened(await refresh(owner.refreshJws))
    server.clock.advance(11)
    expect(outcome(await refresh(thief.refreshJws))).toEqual(REFUSED)
    expect([await statusOf(renewed), await statusOf(thief)]).toEqual([401, 401])
    expect(events(session.sessionId)).toEqual(['refresh_reused', 'session_ended'])
  })

  test('a token that an older server has used is still good after the upgrade', async () => {
    const session = await client.signUp()
    await server.database
      .updateTable('refresh_tokens')
      .set({ used_at: server.clock() })
      .where('session_id', '=', session.sessionId)
      .execute()
    const first = await opened(await refresh(session.refreshJws))
    expect(jtiOfRefresh(await opened(await refresh(session.refreshJws)))).toBe(jtiOfRefresh(first))
    expect(outcome(await refresh(first.refreshJws))).toEqual(OK)
    expect(events(session.sessionId)).toEqual([])
  })

  test('the interval is the configured one', async () => {
    const own = await startTestServer({ config: { ...OFF, refreshReuseInterval: 2 } })
    try {
      const phone = await TestClient.registered(own.url)
      const { refreshJws } = await phone.signUp()
      const results = []
      for (const seconds of [0, 2, 1]) {
        own.clock.advance(seconds)
        const refresh_token = await phone.seal(refreshJws)
        const body = { grant_type: 'refresh_token', refresh_token }
        results.push((await phone.send('POST', '/token', body)).status)
      }
      expect(results).toEqual([200, 200, 400])
    } finally {
      await own.stop()
    }
  })

  test('a hundred simultaneous uses all get the same successor, and the session continues', async () => {
    const session = await client.signUp()
    const sealed = await Promise.all(
      Array.from({ length: 100 }, () => client.seal(session.refreshJws)),
    )
    const answers = await Promise.all(
      sealed.map((refresh_token) =>
        client.send('POST', '/token', { grant_type: 'refresh_token', refresh_token }),
      ),
    )
    for (const answer of answers) expect(outcome(answer)).toEqual(OK)
    expect(await sessionRows(session.sessionId)).toBe(1)
    expect(await tokenRows(session.sessionId)).toBe(2)

    const pairs = await Promise.all(answers.map(opened))
    expect(new Set(pairs.map(jtiOfRefresh)).size).toBe(1)
    for (const pair of pairs) expect(await statusOf(pair)).toBe(200)
    // The burst leaves nothing behind.
    let { refreshJws } = pairs[0]!
    for (const seconds of [1, 60, 60]) {
      server.clock.advance(seconds)
      ;({ refreshJws } = await opened(await refresh(refreshJws)))
    }
    expect(await tokenRows(session.sessionId)).toBe(2)
    expect(events(session.sessionId)).toEqual([])
  })
})

describe('a refresh token does not count as reused with a binding', () => {
  const bound = (jws: string, members: Record<string, unknown> = {}) =>
    client.seal(jws, {
      req: {
        jti: randomUUID(),
        iat: Math.floor(server.clock() / 1000),
        htm: 'POST',
        htu: `${server.config.issuer}/token`,
        ...members,
      },
    })
  const send = (refresh_token: string) =>
    client.send('POST', '/token', { grant_type: 'refresh_token', refresh_token })

  test.each<[string, (jws: string) => Promise<string>]>([
    ['for another path', (jws) => bound(jws, { htu: `${server.config.issuer}/revoke` })],
    ['for another server', (jws) => bound(jws, { htu: 'https://evil.test/token' })],
    ['for another method', (jws) => bound(jws, { htm: 'PUT' })],
    ['of another time', (jws) => bound(jws, { iat: Math.floor(server.clock() / 1000) - 61 })],
    ['with a digest, which a token in a body never has', (jws) => bound(jws, { dig: 'x' })],
    ['that is malformed', (jws) => bound(jws, { jti: 7 })],
  ])('%s', async (_, sealedBy) => {
    const session = await client.signUp()
    const next = await opened(await refresh(session.refreshJws))
    server.clock.advance(11)
    // Without the binding, this use would end the session.
    expect(outcome(await send(await sealedBy(session.refreshJws)))).toEqual(REFUSED)
    expect(events(session.sessionId)).toEqual([])
    expect(await statusOf(next)).toBe(200)
    expect(outcome(await send(await bound(session.refreshJws)))).toEqual(REFUSED)
    expect(events(session.sessionId)).toEqual(['refresh_reused', 'session_ended'])
  })

  test('that was seen before, so a recorded request cannot end the session', async () => {
    const session = await client.signUp()
    const recorded = await bound(session.refreshJws)
    const next = await opened(await send(recorded))
    for (const seconds of [0, 11, 60, 3600]) {
      server.clock.advance(seconds)
      expect(outcome(await send(recorded))).toEqual(REFUSED)
    }
    expect(outcome(await refresh(next.refreshJws))).toEqual(OK)
    expect(events(session.sessionId)).not.toContain('session_ended')
  })
})

describe('renewals while the session is being ended', () => {
  type Way = (session: TestSession, other: TestSession) => Promise<Answer>
  const change = { current_password: GOOD_PASSWORD, new_password: 'another brick in the wall' }

  test.each<[string, Way]>([
    ['by logout', (session) => client.sendAs(session, 'POST', '/account/logout')],
    ['by revocation', (session) => revoke(session.accessJws)],
    [
      'by a change of password',
      (_, other) => client.sendAs(other, 'PUT', '/account/password', change),
    ],
    [
      'by the removal of the account',
      (_, other) => client.sendAs(other, 'DELETE', '/account', { password: GOOD_PASSWORD }),
    ],
  ])('%s fail with nothing worse than a refusal, and leave no token alive', async (_, end) => {
    const email = someEmail()
    const session = await client.signUp(email)
    const other = await client.login(email)
    const pairs = [{ accessJws: session.accessJws, refreshJws: session.refreshJws }]
    const answers: Answer[] = []
    const state = { isEnded: false }
    const ending = end(session, other).finally(() => (state.isEnded = true))
    // Bursts, each with the tokens of the one before, until the session has ended.
    let good: Answer[]
    do {
      const isTooLate = state.isEnded
      const { refreshJws } = pairs.at(-1)!
      const burst = await Promise.all([1, 2, 3].map(() => refresh(refreshJws)))
      answers.push(...burst)
      good = burst.filter(({ status }) => status === 200)
      pairs.push(...(await Promise.all(good.map(opened))))
      if (isTooLate) expect(good).toEqual([])
    } while (good.length > 0)
    expect([200, 204]).toContain((await ending).status)
    for (const answer of answers) expect([OK, REFUSED]).toContainEqual(outcome(answer))
    for (const pair of pairs.slice(-6)) {
      expect(await statusOf(pair)).toBe(401)
      expect(outcome(await refresh(pair.refreshJws))).toEqual(REFUSED)
    }
    expect(await sessionRows(session.sessionId)).toBe(0)
    expect(await tokenRows(session.sessionId)).toBe(0)
    expect(events(session.sessionId)).not.toContain('refresh_reused')
  })
})

test('the database stores nothing of tokens except the hashes of refresh token ids', async () => {
  const session = await client.signUp()
  const next = await opened(await refresh(session.refreshJws))
  const tables = await server.database.introspection.getTables()
  const values: unknown[] = []
  for (const { name } of tables) {
    const { rows } = await sql<object>`select * from ${sql.table(name)}`.execute(server.database)
    values.push(...rows.flatMap((row) => Object.values(row) as unknown[]))
  }
  const stored = values.join('\n')
  expect(stored).toContain(session.sessionId)
  const hash = (jti: string) => createHash('sha256').update(jti).digest('base64url')
  const jtiOf = (jws: string) => decodeJwt(jws).jti!
  for (const jws of [session.refreshJws, next.refreshJws])
    expect(values).toContain(hash(jtiOf(jws)))
  for (const jws of [session, next].flatMap((pair) => [pair.accessJws, pair.refreshJws])) {
    expect(stored).not.toContain(jtiOf(jws))
    for (const part of jws.split('.').slice(1)) expect(stored).not.toContain(part)
  }
  expect(stored).not.toContain(hash(jtiOf(session.accessJws)))
  expect(stored).not.toContain(session.databaseKey)
})

describe('over time', () => {
  let own: TestServer
  let phone: TestClient
  beforeAll(async () => {
    const lifetimes = { accessTokenTtl: 900, refreshTokenTtl: 3600, sessionMaxAge: 5400 }
    own = await startTestServer({ config: { ...OFF, ...lifetimes } })
    phone = await TestClient.registered(own.url)
  })
  afterAll(() => own.stop())

  const renew = async (jws: string) =>
    phone.send('POST', '/token', {
      grant_type: 'refresh_token',
      refresh_token: await phone.seal(jws),
    })
  const lives = async (accessJws: string) =>
    (await phone.sendAs({ accessJws }, 'GET', '/account')).status

  test('an expired refresh token is an invalid grant, and does not count as reused', async () => {
    const session = await phone.signUp()
    own.clock.advance(3599)
    const { body } = await renew(session.refreshJws)
    expect(body.expires_in).toBe(900)
    own.clock.advance(1)
    expect(outcome(await renew(session.refreshJws))).toEqual(REFUSED)
    expect(own.logs.filter((line) => line.includes('refresh_reused'))).toEqual([])
  })

  test('staying away for the lifetime of a refresh token signs out', async () => {
    const session = await phone.signUp()
    own.clock.advance(3000)
    const { body } = await renew(session.refreshJws)
    const again = { access: await phone.open(body.access_token), iat: own.clock() }
    own.clock.advance(899)
    expect(await lives(again.access)).toBe(200)
    own.clock.advance(1)
    expect(await lives(again.access)).toBe(401)
    own.clock.advance(3600 - 900)
    expect(outcome(await renew(await phone.open(body.refresh_token)))).toEqual(REFUSED)
  })

  test('no session, and no token of it, outlives the maximum age', async () => {
    const session = await phone.signUp()
    const started = Math.floor(own.clock() / 1000)
    const end = started + 5400
    let jws = session.refreshJws
    let accessJws = session.accessJws
    for (const [at, expiresIn, refreshEnd] of [
      [1000, 900, 4600],
      [3000, 900, 5400],
      [5000, 400, 5400],
      [5399, 1, 5400],
    ] as const) {
      own.clock.advance(started + at - Math.floor(own.clock() / 1000))
      const { status, body } = await renew(jws)
      expect([status, body.expires_in]).toEqual([200, expiresIn])
      jws = await phone.open(body.refresh_token)
      accessJws = await phone.open(body.access_token)
      expect(decodeJwt(accessJws).exp).toBe(started + at + expiresIn)
      expect(decodeJwt(jws).exp).toBe(started + refreshEnd)
      expect(decodeJwt(jws).exp).toBeLessThanOrEqual(end)
    }
    expect(await lives(accessJws)).toBe(200)
    own.clock.advance(1)
    expect(await lives(accessJws)).toBe(401)
    expect(outcome(await renew(jws))).toEqual(REFUSED)
  })
})

describe('revocation', () => {
  test.each<[string, (session: TestSession) => string]>([
    ['an access token', ({ accessJws }) => accessJws],
    ['a refresh token', ({ refreshJws }) => refreshJws],
  ])('of %s ends its session at once, and no other', async (_, tokenOf) => {
    const email = someEmail()
    const session = await client.signUp(email)
    const other = await client.login(email)
    for (const expected of [['session_ended'], ['session_ended']]) {
      const answer = await revoke(tokenOf(session))
      expect([answer.status, answer.body]).toEqual([200, {}])
      expect(answer.headers.get('cache-control')).toBe('no-store')
      expect(events(session.sessionId)).toEqual(expected)
    }
    expect(await statusOf(session)).toBe(401)
    expect(outcome(await refresh(session.refreshJws))).toEqual(REFUSED)
    expect(await statusOf(other)).toBe(200)
    expect(await sessionRows(other.sessionId)).toBe(1)
  })

  test('accepts a form, and a wrong hint', async () => {
    const session = await client.signUp()
    const token = await client.seal(session.refreshJws)
    const form = new URLSearchParams({ token, token_type_hint: 'access_token' })
    const answer = await client.send('POST', '/revoke', form.toString(), FORM)
    expect(answer.status).toBe(200)
    expect(await statusOf(session)).toBe(401)
  })

  test.each<[string, (session: TestSession) => Promise<string>]>([
    ['an empty token', () => Promise.resolve('')],
    ['garbage', () => Promise.resolve('a.b.c.d.e')],
    ['a bare access token', ({ accessJws }) => Promise.resolve(accessJws)],
    ['a bare refresh token', ({ refreshJws }) => Promise.resolve(refreshJws)],
    [
      'a token sealed to the client',
      ({ answer }) => Promise.resolve<string>(answer.body.access_token),
    ],
    ['a forged access token', ({ accessJws }) => client.seal(`${accessJws.slice(0, -4)}AAAA`)],
  ])('of %s is answered alike, and ends nothing', async (_, tokenOf) => {
    const session = await client.signUp()
    const answer = await client.send('POST', '/revoke', { token: await tokenOf(session) })
    expect([answer.status, answer.body]).toEqual([200, {}])
    expect(await statusOf(session)).toBe(200)
    expect(events(session.sessionId)).toEqual([])
  })

  test('of an expired access token ends nothing', async () => {
    const session = await client.signUp()
    server.clock.advance(900)
    expect((await revoke(session.accessJws)).status).toBe(200)
    expect(outcome(await refresh(session.refreshJws))).toEqual(OK)
  })

  test('of a used refresh token ends the session, too', async () => {
    const session = await client.signUp()
    const next = await opened(await refresh(session.refreshJws))
    expect((await revoke(session.refreshJws)).status).toBe(200)
    expect(await statusOf(next)).toBe(401)
  })

  test.each<[string, unknown]>([
    ['no body', undefined],
    ['no token', {}],
    ['a token that is not a string', { token: 1 }],
  ])('of %s is a bad request', async (_, body) => {
    const answer = await client.send('POST', '/revoke', body)
    expect(outcome(answer)).toEqual([400, 'invalid_request'])
  })

  describe('by a bound token', () => {
    const TOKENS = ['accessJws', 'refreshJws'] as const
    const bound = (jws: string, members: Record<string, unknown>) =>
      client.seal(jws, {
        req: {
          jti: randomUUID(),
          iat: Math.floor(server.clock() / 1000),
          htm: 'POST',
          htu: `${server.config.issuer}/revoke`,
          ...members,
        },
      })

    test.each(
      TOKENS.flatMap((name) => [
        [name, 'another path', { htu: 'http://localhost:3000/token' }] as const,
        [name, 'another server', { htu: 'https://evil.test/revoke' }] as const,
        [name, 'another method', { htm: 'GET' }] as const,
        [name, 'another time', { iat: 1 }] as const,
        [name, 'a body', { dig: 'x' }] as const,
        [name, 'no identifier', { jti: undefined }] as const,
      ]),
    )('%s, bound to %s, ends nothing', async (name, _, members) => {
      const session = await client.signUp()
      const answer = await client.send('POST', '/revoke', {
        token: await bound(session[name], members),
      })
      expect([answer.status, answer.body]).toEqual([200, {}])
      expect(await statusOf(session)).toBe(200)
      expect(await sessionRows(session.sessionId)).toBe(1)
      expect(events(session.sessionId)).toEqual([])
    })

    test.each(TOKENS)('%s, bound to this request, ends its session', async (name) => {
      const session = await client.signUp()
      const token = await bound(session[name], {})
      const answer = await client.send('POST', '/revoke', { token })
      expect([answer.status, answer.body]).toEqual([200, {}])
      expect(await statusOf(session)).toBe(401)
      expect(events(session.sessionId)).toEqual(['session_ended'])
    })
  })
})

test.each(['/token', '/revoke'])('%s accepts POST only', async (path) => {
  const answer = await client.send('GET', path)
  expect(outcome(answer)).toEqual([405, 'method_not_allowed'])
  expect(answer.headers.get('allow')).toBe('POST')
})
