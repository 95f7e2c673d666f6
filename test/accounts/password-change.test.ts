import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { decodeJwt } from 'jose'
import { compose } from '../../server/composition.ts'
import { createLogger } from '../../server/log/logger.ts'
import { GOOD_PASSWORD, someEmail, TestClient } from '../support/client.ts'
import { sessionIdsOf } from '../support/database.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

const NEW_PASSWORD = 'another brick in the wall'

let server: TestServer
let client: TestClient
beforeAll(async () => {
  const rateLimits = { login: 'off', signUp: 'off', clients: 'off', refresh: 'off' } as const
  server = await startTestServer({ config: { rateLimits: rateLimits } })
  client = await TestClient.registered(server.url)
})
afterAll(() => server.stop())

/** A new account, signed in. */
async function person() {
  const email = someEmail()
  return { email, session: await client.signUp(email) }
}
const isAlive = async (session: { readonly accessJws: string }) =>
  (await client.sendAs(session, 'GET', '/account')).status === 200
const tryLogin = async (email: string, password: string) =>
  (await client.send('POST', '/account/login', { email, password, client_id: client.id })).status

const change = (
  session: { readonly accessJws: string },
  current_password: unknown,
  new_password: unknown,
) => client.sendAs(session, 'PUT', '/account/password', { current_password, new_password })
/** Changes the password; returns the new pair, decrypted. */
async function changed(session: { readonly accessJws: string }, from: string, to: string) {
  const { status, text, body } = await change(session, from, to)
  if (status !== 200) throw new Error(`${status} ${text}`)
  return {
    accessJws: await client.open(body.access_token),
    refreshJws: await client.open(body.refresh_token),
  }
}
const refresh = async (jws: string) =>
  client.send('POST', '/token', {
    grant_type: 'refresh_token',
    refresh_token: await client.seal(jws),
  })

describe('changing the password', () => {
  test('keeps this session, ends the others, and makes only the new password valid', async () => {
    const { email, session } = await person()
    const others = [await client.login(email), await client.login(email)]
    const bystander = await person()
    const answer = await change(session, GOOD_PASSWORD, NEW_PASSWORD)
    expect(answer.status).toBe(200)
    expect(answer.body).toEqual({
      access_token: expect.any(String),
      refresh_token: expect.any(String),
      token_type: 'Bearer',
      expires_in: 900,
    })
    expect(answer.headers.get('cache-control')).toBe('no-store')
    expect(await isAlive({ accessJws: await client.open(answer.body.access_token) })).toBe(true)
    for (const other of others) expect(await isAlive(other)).toBe(false)
    expect(await isAlive(bystander.session)).toBe(true)
    expect(await tryLogin(email, GOOD_PASSWORD)).toBe(401)
    expect(await tryLogin(email, NEW_PASSWORD)).toBe(200)
    expect(await tryLogin(bystander.email, GOOD_PASSWORD)).toBe(200)
  })

  test('with a wrong current password changes nothing', async () => {
    const { email, session } = await person()
    const other = await client.login(email)
    for (const wrong of ['not the password', '', `${GOOD_PASSWORD} `]) {
      const answer = await change(session, wrong, NEW_PASSWORD)
      expect([answer.status, answer.body]).toEqual([
        400,
        { error: 'invalid_grant', error_description: 'The password is wrong.' },
      ])
    }
    expect(await isAlive(other)).toBe(true)
    expect(await tryLogin(email, NEW_PASSWORD)).toBe(401)
    expect(await tryLogin(email, GOOD_PASSWORD)).toBe(200)
  })

  test.each<[string, (email: string) => unknown]>([
    ['too short', () => 'seven77'],
    ['too long', () => 'x'.repeat(129)],
    ['common', () => 'password123'],
    ['the address and more', (email) => `my ${email.toUpperCase()}`],
    ['the name in the address', (email) => email.split('@')[0]],
    ['not a string', () => 12345678],
    ['not well-formed Unicode', () => 'a long and winding \ud800'],
    ['missing', () => undefined],
  ])('names new_password if it is %s', async (_, password) => {
    const { email, session } = await person()
    const answer = await change(session, GOOD_PASSWORD, password(email))
    expect([answer.status, answer.body.error]).toEqual([400, 'invalid_request'])
    expect(answer.body.error_description).toMatch(/^new_password /)
    expect(await tryLogin(email, GOOD_PASSWORD)).toBe(200)
  })

  test('names current_password if it is missing', async () => {
    const { session } = await person()
    const answer = await change(session, undefined, NEW_PASSWORD)
    expect([answer.status, answer.body.error]).toEqual([400, 'invalid_request'])
    expect(answer.body.error_description).toMatch(/^current_password /)
  })

  test('without a token is answered with a challenge', async () => {
    const answer = await client.send('PUT', '/account/password', {
      current_password: GOOD_PASSWORD,
      new_password: NEW_PASSWORD,
    })
    expect(answer.status).toBe(401)
    expect(answer.headers.get('www-authenticate')).toBe('Bearer realm="jwe-auth-server"')
  })

  test('succeeds for one of several sessions that try at once', async () => {
    const { email, session } = await person()
    const sessions = [session, await client.login(email), await client.login(email)]
    const answers = await Promise.all(
      sessions.map((each, i) => change(each, GOOD_PASSWORD, `${NEW_PASSWORD} ${i}`)),
    )
    const winners = answers.flatMap(({ status }, i) => (status === 200 ? [i] : []))
    expect(winners).toHaveLength(1)
    for (const { status, body } of answers) {
      if (status !== 200) expect(['invalid_grant', 'invalid_token']).toContain(body.error)
    }
    const fresh = await client.open(answers[winners[0]!]!.body.access_token)
    expect(await isAlive({ accessJws: fresh })).toBe(true)
    for (const i of sessions.keys()) {
      expect(await isAlive(sessions[i]!)).toBe(false)
      expect(await tryLogin(email, `${NEW_PASSWORD} ${i}`)).toBe(i === winners[0] ? 200 : 401)
    }
  })

  test('succeeds once if a session tries ten times at once', async () => {
    const { email, session } = await person()
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, i) => change(session, GOOD_PASSWORD, `${NEW_PASSWORD} ${i}`)),
    )
    const winners = answers.flatMap(({ status }, i) => (status === 200 ? [i] : []))
    expect(winners).toHaveLength(1)
    for (const { status, body } of answers) {
      if (status !== 200) expect([401, 'invalid_token']).toEqual([status, body.error])
    }
    expect(await tryLogin(email, `${NEW_PASSWORD} ${winners[0]}`)).toBe(200)
  })

  test('invalidates the refresh tokens of the ended sessions', async () => {
    const { email, session } = await person()
    const other = await client.login(email)
    await changed(session, GOOD_PASSWORD, NEW_PASSWORD)
    expect((await refresh(other.refreshJws)).body.error).toBe('invalid_grant')
  })
})

describe('after a change of the password, the older tokens of its session', () => {
  test('are refused everywhere and end nothing, while the new pair works', async () => {
    const { session } = await person()
    const renewed = await client.login(session.answer.body.account.email as string)
    const before = [session.accessJws, session.refreshJws]
    const fresh = await changed(session, GOOD_PASSWORD, NEW_PASSWORD)
    expect(await isAlive(renewed)).toBe(false)
    for (const jws of before) {
      expect(
        (await client.send('POST', '/revoke', { token: await client.seal(jws) })).body,
      ).toEqual({})
    }
    expect(await isAlive(session)).toBe(false)
    const refused = await client.sendAs(session, 'GET', '/account')
    expect(refused.headers.get('www-authenticate')).toContain('error="invalid_token"')
    expect((await client.sendAs(session, 'POST', '/account/logout')).status).toBe(401)
    // Refused before reuse detection, which would take the missing record for a stolen copy.
    for (let use = 0; use < 2; use++) {
      expect((await refresh(session.refreshJws)).body.error).toBe('invalid_grant')
      server.clock.advance(11)
    }
    expect(await isAlive(fresh)).toBe(true)
    const next = await refresh(fresh.refreshJws)
    expect(next.status).toBe(200)
    expect(await isAlive({ accessJws: await client.open(next.body.access_token) })).toBe(true)
    expect(server.logs.some((line) => line.includes('refresh_reused'))).toBe(false)
  })

  test('are refused at /token, whether used before or not', async () => {
    const { session } = await person()
    const next = await refresh(session.refreshJws)
    const copies = [session.refreshJws, await client.open(next.body.refresh_token)]
    const fresh = await changed(session, GOOD_PASSWORD, NEW_PASSWORD)
    for (const jws of copies) expect((await refresh(jws)).body.error).toBe('invalid_grant')
    expect(await isAlive(fresh)).toBe(true)
  })

  test('are replaced by a pair that carries the next generation', async () => {
    const { session } = await person()
    expect(decodeJwt(session.accessJws)).not.toHaveProperty('gen')
    let current: { accessJws: string; refreshJws: string } = session
    for (const gen of [1, 2, 3]) {
      const passwords = [GOOD_PASSWORD, 'number one of these', 'number two of these', 'number 3 of']
      current = await changed(current, passwords[gen - 1]!, passwords[gen]!)
      expect(decodeJwt(current.accessJws)).toMatchObject({ gen, sid: session.sessionId })
      expect(decodeJwt(current.refreshJws)).toMatchObject({ gen, sid: session.sessionId })
    }
    const { body } = await refresh(current.refreshJws)
    expect(decodeJwt(await client.open(body.access_token))).toMatchObject({ gen: 3 })
  })

  test('are replaced by a pair with the same refresh expiry, session and database key', async () => {
    const { session } = await person()
    server.clock.advance(60)
    const fresh = await changed(session, GOOD_PASSWORD, NEW_PASSWORD)
    const now = Math.floor(server.clock() / 1000)
    expect(decodeJwt(fresh.accessJws).exp).toBe(now + 900)
    expect(decodeJwt(fresh.refreshJws).exp).toBe(decodeJwt(session.refreshJws).exp)
    const { body } = await client.sendAs(fresh, 'GET', '/account')
    expect(body.database_key).toBe(session.databaseKey)
    expect(body.session_id).toBe(session.sessionId)
  })

  test('do not use up the RATE_LIMIT_REFRESH of the new pair', async () => {
    const rateLimits = { ...server.config.rateLimits, refresh: { count: 2, duration: 60 } }
    const limited = await startTestServer({ config: { rateLimits, trustedProxies: 1 } })
    try {
      const phone = await TestClient.registered(limited.url)
      const session = await phone.signUp()
      const body = { current_password: GOOD_PASSWORD, new_password: NEW_PASSWORD }
      const answer = await phone.sendAs(session, 'PUT', '/account/password', body)
      const renew = async (jws: string, from: string) => {
        const body = { grant_type: 'refresh_token', refresh_token: await phone.seal(jws) }
        return (await phone.send('POST', '/token', body, { 'x-forwarded-for': from })).status
      }
      const thiefs = [await renew(session.refreshJws, '192.0.2.1')]
      for (let i = 0; i < 3; i++) thiefs.push(await renew(session.refreshJws, '192.0.2.2'))
      expect(thiefs).toEqual([400, 400, 400, 429])
      expect(await renew(await phone.open(answer.body.refresh_token), '192.0.2.3')).toBe(200)
    } finally {
      await limited.stop()
    }
  })
})

/** The services behind a server's routes, once more: over its database, keys and clock. */
const services = ({ config, keystore, database, clock }: TestServer) =>
  compose({ config, keystore, database, clock, logger: createLogger('silent') })

describe('signing in while the password changes', () => {
  test('starts no session if the old password was checked before the change', async () => {
    const { email, session } = await person()
    const { accounts, clients, sessions } = services(server)
    // A sign-in that has checked the password, and has not yet started its session.
    const stale = (await accounts.findByEmail(email))!
    expect((await change(session, GOOD_PASSWORD, NEW_PASSWORD)).status).toBe(200)
    const registered = (await clients.find(client.id))!
    expect(await sessions.start(stale, registered)).toBeUndefined()
    const ids = await server.database
      .selectFrom('sessions')
      .select('id')
      .where('account_id', '=', stale.id)
      .execute()
    expect(ids).toEqual([{ id: session.sessionId }])
    const fresh = (await accounts.findByEmail(email))!
    expect(await sessions.start(fresh, registered)).toMatchObject({ ended: [] })
  })

  test('leaves no session of the old password over HTTP, whatever the order', async () => {
    const { email, session } = await person()
    const [changed, ...logins] = await Promise.all([
      change(session, GOOD_PASSWORD, NEW_PASSWORD),
      ...Array.from({ length: 8 }, () =>
        client.send('POST', '/account/login', {
          email,
          password: GOOD_PASSWORD,
          client_id: client.id,
        }),
      ),
    ])
    expect(changed.status).toBe(200)
    for (const { status } of logins) expect([200, 401]).toContain(status)
    const accountId = session.answer.body.account.id as string
    expect(await sessionIdsOf(server.database, accountId)).toEqual([session.sessionId])
  })
})
