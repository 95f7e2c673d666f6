import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { CompactSign, compactDecrypt, decodeJwt, decodeProtectedHeader } from 'jose'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { SMTPServer } from 'smtp-server'
import { compose } from '../../server/composition.ts'
import { createLogger } from '../../server/log/logger.ts'
import { createSmtpMailer } from '../../server/features/password-reset/mailer/smtp-mailer.ts'
import { GOOD_PASSWORD, someEmail, TestClient, type Answer } from '../support/client.ts'
import { logLines } from '../support/log-lines.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

const NEW_PASSWORD = 'another brick in the wall'
const REFUSED = {
  error: 'invalid_grant',
  error_description: 'The reset token is not valid, has expired or was used.',
}

let server: TestServer
let client: TestClient
beforeAll(async () => {
  const rateLimits = { login: 'off', signUp: 'off', clients: 'off', refresh: 'off' } as const
  server = await startTestServer({ config: { rateLimits: rateLimits } })
  client = await TestClient.registered(server.url)
})
afterAll(() => server.stop())

/** Somebody new, signed in. */
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
/** Changes the password; gives the fresh pair, opened. */
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
const reset = (token: unknown, new_password: unknown = NEW_PASSWORD, to = client) =>
  to.send('PUT', '/account/password-reset', { token, new_password })
const requestReset = (email: unknown, id = 'reset') =>
  client.send('POST', '/account/password-reset', { email }, { 'x-request-id': id })

/** The token of the last message, once it has gone out. */
async function mailedToken(to: string): Promise<string> {
  await server.background.idle()
  const message = server.mailer.sent.at(-1)!
  expect(message.to).toBe(to)
  return message.text.split('\n').find((line) => line.startsWith('eyJ'))!
}
async function resetToken(email: string): Promise<string> {
  expect((await requestReset(email)).status).toBe(202)
  return mailedToken(email)
}

const visible = ({ status, headers, text }: Answer) => ({
  status,
  text,
  headers: [...headers].filter(([name]) => name !== 'date'),
})

describe('changing the password', () => {
  test('takes the current one; the session stays, the others end, the new one counts', async () => {
    const { email, session } = await person()
    const others = [await client.login(email), await client.login(email)]
    const bystander = await person()
    const answer = await change(session, GOOD_PASSWORD, NEW_PASSWORD)
    expect(answer.status).toBe(200)
    expect(answer.body).toEqual({
      ...{ access_token: expect.any(String), refresh_token: expect.any(String) },
      ...{ token_type: 'Bearer', expires_in: 900 },
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
    ['a common one', () => 'password123'],
    ['the address', (email) => `my ${email.toUpperCase()}`],
    ['the name in the address', (email) => email.split('@')[0]],
    ['no string', () => 12345678],
    ['a lone surrogate', () => 'a long and winding \ud800'],
    ['missing', () => undefined],
  ])('a new one that is refused is named: %s', async (_, password) => {
    const { email, session } = await person()
    const answer = await change(session, GOOD_PASSWORD, password(email))
    expect([answer.status, answer.body.error]).toEqual([400, 'invalid_request'])
    expect(answer.body.error_description).toMatch(/^new_password /)
    expect(await tryLogin(email, GOOD_PASSWORD)).toBe(200)
  })

  test('without the current one is refused, and named', async () => {
    const { session } = await person()
    const answer = await change(session, undefined, NEW_PASSWORD)
    expect([answer.status, answer.body.error]).toEqual([400, 'invalid_request'])
    expect(answer.body.error_description).toMatch(/^current_password /)
  })

  test('without a token of any kind is challenged', async () => {
    const answer = await client.send('PUT', '/account/password', {
      current_password: GOOD_PASSWORD,
      new_password: NEW_PASSWORD,
    })
    expect(answer.status).toBe(401)
    expect(answer.headers.get('www-authenticate')).toBe('Bearer realm="jwe-auth-server"')
  })

  test('of several at once, one wins', async () => {
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

  test('of ten by one session at once, one wins', async () => {
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

  test('the refresh tokens of the sessions that ended are dead', async () => {
    const { email, session } = await person()
    const other = await client.login(email)
    await changed(session, GOOD_PASSWORD, NEW_PASSWORD)
    expect((await refresh(other.refreshJws)).body.error).toBe('invalid_grant')
  })
})

describe('tokens from before a change of the password, in the session that made it', () => {
  test('are dead everywhere, and end nothing; the fresh ones go on', async () => {
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
    // Before reuse detection: its record is gone, and that must not be taken for a copy.
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

  test('used before or not, a copy of the refresh token is dead', async () => {
    const { session } = await person()
    const next = await refresh(session.refreshJws)
    const copies = [session.refreshJws, await client.open(next.body.refresh_token)]
    const fresh = await changed(session, GOOD_PASSWORD, NEW_PASSWORD)
    for (const jws of copies) expect((await refresh(jws)).body.error).toBe('invalid_grant')
    expect(await isAlive(fresh)).toBe(true)
  })

  test('the fresh ones say which generation they are of, and it grows', async () => {
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

  test('the fresh pair lives as long as the session, and its vault key stays', async () => {
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

  test('use up none of the renewals that RATE_LIMIT_REFRESH leaves to the fresh ones', async () => {
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
      for (let i = 0; i < 2; i++) thiefs.push(await renew(session.refreshJws, '192.0.2.2'))
      expect(thiefs).toEqual([400, 400, 429])
      expect(await renew(await phone.open(answer.body.refresh_token), '192.0.2.3')).toBe(200)
    } finally {
      await limited.stop()
    }
  })
})

describe('asking for a reset', () => {
  test('is answered with the same bytes for a known and an unknown address; mail goes to the known one', async () => {
    const { email } = await person()
    const before = server.mailer.sent.length
    const known = await requestReset(email)
    await server.background.idle()
    expect(server.mailer.sent.slice(before).map(({ to }) => to)).toEqual([email])
    const unknown = await requestReset(someEmail())
    await server.background.idle()
    expect(server.mailer.sent).toHaveLength(before + 1)
    expect(known.status).toBe(202)
    expect(known.headers.get('cache-control')).toBe('no-store')
    expect(visible(unknown)).toEqual(visible(known))
  })

  test('is in the log alike for both, but for the time', async () => {
    const { email } = await person()
    const linesOf = async (address: string, id: string) => {
      await requestReset(address, id)
      await server.background.idle()
      return logLines(server, id).map((line) => ({ ...line, time: 0, ms: 0, request_id: '' }))
    }
    expect(await linesOf(someEmail(), 'unknown-1')).toEqual(await linesOf(email, 'known-1'))
  })

  test('the message goes to the address as it was given, whatever its case in the request', async () => {
    const email = `Person-${process.pid}@Mail.test`
    await client.signUp(email)
    await requestReset(email.toLowerCase())
    await mailedToken(email)
  })

  test.each([
    undefined,
    null,
    1,
    '',
    'no address',
    'a@b.test,c@d.test',
    'a@b.test\n',
    ['a@b.test'],
  ])('for the address %j is a bad request that names it', async (email) => {
    const answer = await requestReset(email)
    expect([answer.status, answer.body.error]).toEqual([400, 'invalid_request'])
    expect(answer.body.error_description).toMatch(/^email /)
  })

  test('nothing is asked of who is signed in, and nothing changes for them', async () => {
    const { email, session } = await person()
    await resetToken(email)
    expect(await isAlive(session)).toBe(true)
    expect(await tryLogin(email, GOOD_PASSWORD)).toBe(200)
  })

  test('a sixth message is not sent while five tokens are open, and the answer is the same', async () => {
    const { email } = await person()
    const before = server.mailer.sent.length
    const answers = []
    for (let i = 0; i < 6; i++) answers.push(await requestReset(email))
    await server.background.idle()
    expect(server.mailer.sent.slice(before).map(({ to }) => to)).toEqual(Array(5).fill(email))
    for (const answer of answers) expect(visible(answer)).toEqual(visible(answers[0]!))
    expect(answers[0]!.status).toBe(202)
    // Any of them is good, and once one is used all are gone: the next request is mailed again.
    expect((await reset(await mailedToken(email))).status).toBe(204)
    await resetToken(email)
  })

  test('mail that does not get through holds up nobody else’s', async () => {
    const [{ email: stuck }, { email }] = [await person(), await person()]
    const send = server.mailer.send.bind(server.mailer)
    let deliver: () => void = () => undefined
    const arrived = new Promise<void>((resolve) => {
      server.mailer.send = async (message) => {
        if (message.to === stuck) return new Promise<void>((done) => (deliver = done))
        await send(message)
        resolve()
      }
    })
    try {
      expect((await requestReset(stuck)).status).toBe(202)
      expect((await requestReset(email)).status).toBe(202)
      await arrived
      expect(server.mailer.sent.at(-1)!.to).toBe(email)
    } finally {
      server.mailer.send = send
      deliver()
    }
    await server.background.idle()
  })

  test('while too many wait everybody is told alike to come back later', async () => {
    const { email } = await person()
    const before = server.mailer.sent.length
    let release: () => void = () => undefined
    server.background.run(
      () =>
        new Promise((resolve) => {
          release = resolve
        }),
    )
    await new Promise((resolve) => setImmediate(resolve))
    for (let i = 0; i < 1000; i++) server.background.run(() => Promise.resolve())
    const [known, unknown] = [await requestReset(email), await requestReset(someEmail())]
    expect([known.status, known.body.error]).toEqual([503, 'temporarily_unavailable'])
    expect(known.headers.get('retry-after')).toMatch(/^[1-9]\d*$/)
    expect(visible(unknown)).toEqual(visible(known))
    release()
    await server.background.idle()
    expect(server.mailer.sent).toHaveLength(before)
    await resetToken(email)
  })

  describe('when the mail cannot be sent', () => {
    /** What was logged of a request whose mail failed with this error. */
    async function logOfFailure(email: string, id: string): Promise<string> {
      const answer = await requestReset(email, id)
      await server.background.idle()
      expect([answer.status, answer.text]).toEqual([202, '{}'])
      const lines = logLines(server, id)
      expect(lines.filter(({ level }) => level === 'error')).toMatchObject([
        { msg: 'the password reset could not be sent', err: { message: expect.any(String) } },
      ])
      return JSON.stringify(lines)
    }

    test('the answer is the same; the log has the error, and neither the token nor the address', async () => {
      const { email } = await person()
      const send = server.mailer.send.bind(server.mailer)
      let token = ''
      server.mailer.send = ({ text }) => {
        token = text.split('\n').find((line) => line.startsWith('eyJ'))!
        return Promise.reject(new Error(`the message could not be sent: ${text}`))
      }
      try {
        const log = await logOfFailure(email, 'failing-1')
        expect(token.split('.')).toHaveLength(5)
        for (const part of token.split('.')) {
          if (part.length > 20) expect(log).not.toContain(part)
        }
        expect(log).not.toContain(email)
      } finally {
        server.mailer.send = send
      }
      await resetToken(email)
    })

    test('and an SMTP server quotes the address, it does not get into the log', async () => {
      const { email } = await person()
      const smtp = new SMTPServer({
        authOptional: true,
        hideSTARTTLS: true,
        disableReverseLookup: true,
        onRcptTo({ address }, _, done) {
          const error = new Error(`5.1.1 <${address}>: Recipient address rejected: User unknown`)
          done(Object.assign(error, { responseCode: 550 }))
        },
      })
      smtp.listen(0, '127.0.0.1')
      await once(smtp.server, 'listening')
      const { port } = smtp.server.address() as AddressInfo
      const url = `smtp://127.0.0.1:${port}`
      const mailer = await createSmtpMailer({ url, from: 'auth@mail.test' }, false)
      const send = server.mailer.send.bind(server.mailer)
      server.mailer.send = (message) => mailer.send(message)
      try {
        expect(await logOfFailure(email, 'failing-2')).not.toContain(email)
      } finally {
        server.mailer.send = send
        mailer.close()
        await new Promise<void>((resolve) => {
          smtp.close(resolve)
        })
      }
    })
  })
})

describe('a reset token', () => {
  const { privateKeyOf, open } = {
    privateKeyOf: (of: TestServer) => of.keystore.encryptionKey.privateKey,
    open: async (token: string) => {
      const { plaintext } = await compactDecrypt(token, privateKeyOf(server))
      return new TextDecoder().decode(plaintext)
    },
  }

  test('is a JWE that the server alone can open, and says what the contract says', async () => {
    const { email, session } = await person()
    const token = await resetToken(email)
    const { kid } = server.keystore.encryptionKey
    expect(decodeProtectedHeader(token)).toMatchObject({
      alg: 'ECDH-ES+A128KW',
      enc: 'A128GCM',
      kid,
      cty: 'JWT',
    })
    await expect(client.open(token)).rejects.toThrow()
    const jws = await open(token)
    const now = Math.floor(server.clock() / 1000)
    expect(decodeProtectedHeader(jws)).toEqual({
      alg: 'ES256',
      kid: server.keystore.signingKey.kid,
      typ: 'reset+jwt',
    })
    expect(decodeJwt(jws)).toEqual({
      iss: server.config.issuer,
      sub: session.answer.body.account.id,
      aud: '/account/password-reset',
      iat: now,
      exp: now + 900,
      jti: expect.any(String),
    })
  })

  test('sets the password and ends every session, of that account alone', async () => {
    const { email, session } = await person()
    const other = await client.login(email)
    const bystander = await person()
    const answer = await reset(await resetToken(email))
    expect([answer.status, answer.text]).toEqual([204, ''])
    for (const ended of [session, other]) expect(await isAlive(ended)).toBe(false)
    expect(await isAlive(bystander.session)).toBe(true)
    expect(await tryLogin(email, GOOD_PASSWORD)).toBe(401)
    expect(await tryLogin(email, NEW_PASSWORD)).toBe(200)
  })

  test('is good once', async () => {
    const { email } = await person()
    const token = await resetToken(email)
    expect((await reset(token)).status).toBe(204)
    const again = await reset(token, 'yet another password')
    expect([again.status, again.body]).toEqual([400, REFUSED])
    expect(await tryLogin(email, NEW_PASSWORD)).toBe(200)
  })

  test('is good once of ten uses at once', async () => {
    const { email } = await person()
    const token = await resetToken(email)
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, i) => reset(token, `${NEW_PASSWORD} ${i}`)),
    )
    const winners = answers.flatMap(({ status }, i) => (status === 204 ? [i] : []))
    expect(winners).toHaveLength(1)
    for (const { status, body } of answers) {
      if (status !== 204) expect([status, body]).toEqual([400, REFUSED])
    }
    expect(await tryLogin(email, `${NEW_PASSWORD} ${winners[0]}`)).toBe(200)
  })

  test('of two, the use of one is the end of the other, in whatever order and also at once', async () => {
    const { email } = await person()
    const pair = [await resetToken(email), await resetToken(email)]
    expect((await reset(pair[1])).status).toBe(204)
    expect((await reset(pair[0])).body).toEqual(REFUSED)
    const second = [await resetToken(email), await resetToken(email)]
    const answers = await Promise.all(second.map((token) => reset(token)))
    expect(answers.map(({ status }) => status).sort()).toEqual([204, 400])
  })

  test.each([
    [899, 204],
    [900, 400],
  ])('after %i s gives %i', async (seconds, status) => {
    const { email } = await person()
    const token = await resetToken(email)
    server.clock.advance(seconds)
    const answer = await reset(token)
    expect(answer.status).toBe(status)
    if (status === 400) expect(answer.body).toEqual(REFUSED)
  })

  test('dies when the password changes', async () => {
    const { email, session } = await person()
    const token = await resetToken(email)
    await changed(session, GOOD_PASSWORD, 'yet another password')
    expect((await reset(token)).body).toEqual(REFUSED)
    expect(await tryLogin(email, 'yet another password')).toBe(200)
  })

  test('does not die when nothing but the hash of the password changes', async () => {
    const { email, session } = await person()
    const token = await resetToken(email)
    const { id } = session.answer.body.account as { id: string }
    const { accounts } = services(server)
    await accounts.rehash((await accounts.find(id))!, await services(server).passwords.hash('same'))
    expect((await reset(token)).status).toBe(204)
  })

  test('dies with the account, also where another has the address now', async () => {
    const { email, session } = await person()
    const token = await resetToken(email)
    const remove = { password: GOOD_PASSWORD }
    expect((await client.sendAs(session, 'DELETE', '/account', remove)).status).toBe(204)
    expect((await reset(token)).body).toEqual(REFUSED)
    const successor = await client.signUp(email)
    expect((await reset(token)).body).toEqual(REFUSED)
    expect(await isAlive(successor)).toBe(true)
  })

  test('whose account has another scope now is dead', async () => {
    const { email, session } = await person()
    const token = await resetToken(email)
    const { accounts, credentials } = services(server)
    const account = (await accounts.find(session.answer.body.account.id))!
    expect(await credentials.changeScope(account, 'user admin')).toEqual([session.sessionId])
    expect((await reset(token)).body).toEqual(REFUSED)
  })

  test('is kept as a hash: no column holds it, or its jti', async () => {
    const { email } = await person()
    const token = await resetToken(email)
    const { jti } = decodeJwt(await open(token))
    const tables = ['clients', 'accounts', 'sessions', 'refresh_tokens', 'password_resets'] as const
    const rows = await Promise.all(
      tables.map((table) => server.database.selectFrom(table).selectAll().execute()),
    )
    expect(rows.every((table) => table.length > 0)).toBe(true)
    const stored = JSON.stringify(rows)
    for (const secret of [jti!, ...token.split('.').filter((part) => part.length > 15)]) {
      expect(stored).not.toContain(secret)
    }
  })

  test('is not used up by a new password that is refused', async () => {
    const { email, session } = await person()
    const token = await resetToken(email)
    for (const password of ['short', 'password123', email, null, 7]) {
      const answer = await reset(token, password)
      expect([answer.status, answer.body.error]).toEqual([400, 'invalid_request'])
      expect(answer.body.error_description).toMatch(/^new_password /)
    }
    expect(await isAlive(session)).toBe(true)
    expect((await reset(token)).status).toBe(204)
  })

  test('works without an access token, and one beside it is not read', async () => {
    const { email, session } = await person()
    const body = { token: await resetToken(email), new_password: NEW_PASSWORD }
    const garbage = { authorization: 'Bearer garbage' }
    expect((await client.send('PUT', '/account/password-reset', body, garbage)).status).toBe(204)
    expect(await isAlive(session)).toBe(false)
  })

  test('does not work where a signed-in person changes the password', async () => {
    const { email, session } = await person()
    const token = await resetToken(email)
    const body = { token, new_password: NEW_PASSWORD }
    expect((await client.send('PUT', '/account/password', body)).status).toBe(401)
    const answer = await client.sendAs(session, 'PUT', '/account/password', body)
    expect([answer.status, answer.body.error]).toEqual([400, 'invalid_request'])
    expect(answer.body.error_description).toMatch(/^current_password /)
    expect((await reset(token)).status).toBe(204)
  })

  test.each([undefined, null, 1, {}, ['x'], '\ud800'])(
    'that is %j is a bad request that names it',
    async (token) => {
      const answer = await reset(token)
      expect([answer.status, answer.body.error]).toEqual([400, 'invalid_request'])
      expect(answer.body.error_description).toMatch(/^token /)
    },
  )

  describe('is refused in the same words, and changes nothing', () => {
    /** What the server would sign, with other claims or another header. */
    async function mint(token: string, claims: object, header: object = {}, key?: CryptoKeyLike) {
      const jws = await open(token)
      const signer = key ?? server.keystore.signingKey
      return client.seal(
        await new CompactSign(
          new TextEncoder().encode(JSON.stringify({ ...decodeJwt(jws), ...claims })),
        )
          .setProtectedHeader({ alg: 'ES256', kid: signer.kid, typ: 'reset+jwt', ...header })
          .sign(signer.privateKey),
      )
    }
    type CryptoKeyLike = TestServer['keystore']['signingKey']

    test('the one that is minted here with nothing changed is good', async () => {
      const { email } = await person()
      expect((await reset(await mint(await resetToken(email), {}))).status).toBe(204)
    })

    test.each<[string, (token: string, own: Awaited<ReturnType<typeof person>>) => unknown]>([
      ['garbage', () => 'garbage'],
      ['nothing', () => ''],
      ['over 8 KiB', () => 'x'.repeat(9000)],
      ['a bare JWS', (token) => open(token)],
      ['cut short', (token) => token.slice(0, -1)],
      ['with a space', (token) => `${token} `],
      ['an access token', (_, { session }) => client.seal(session.accessJws)],
      ['a refresh token', (_, { session }) => client.seal(session.refreshJws)],
      ['with the typ of an access token', (token) => mint(token, {}, { typ: 'at+jwt' })],
      ['without a typ', (token) => mint(token, {}, { typ: undefined })],
      ['of another audience', (token) => mint(token, { aud: '/account/password' })],
      ['of another issuer', (token) => mint(token, { iss: 'https://other.test' })],
      ['with a jti that was never mailed', (token) => mint(token, { jti: 'another' })],
      ['without an exp', (token) => mint(token, { exp: undefined })],
      ['with a claim too many', (token) => mint(token, { admin: true })],
      ['that has expired', (token) => mint(token, { exp: Math.floor(server.clock() / 1000) })],
      [
        'of another account',
        async (token) =>
          mint(token, { sub: (await person()).session.answer.body.account.id as string }),
      ],
      [
        'signed by another key',
        async (token) => {
          const foreign = await startTestServer()
          await foreign.stop()
          return mint(
            token,
            {},
            { kid: server.keystore.signingKey.kid },
            foreign.keystore.signingKey,
          )
        },
      ],
    ])('%s', async (_, forge) => {
      const own = await person()
      const token = await resetToken(own.email)
      const answer = await reset(await forge(token, own))
      expect([answer.status, answer.body]).toEqual([400, REFUSED])
      expect(await isAlive(own.session)).toBe(true)
      expect((await reset(token)).status).toBe(204)
    })
  })

  test('is no access token, and no refresh token', async () => {
    const { email } = await person()
    const token = await resetToken(email)
    const authorization = `Bearer ${token}`
    expect((await client.send('GET', '/account', undefined, { authorization })).status).toBe(401)
    const refreshed = await client.send('POST', '/token', {
      grant_type: 'refresh_token',
      refresh_token: token,
    })
    expect(refreshed.body.error).toBe('invalid_grant')
    await client.send('POST', '/revoke', { token })
    expect((await reset(token)).status).toBe(204)
  })

  test('works when it was sealed anew by who could open it', async () => {
    const { email } = await person()
    const token = await client.seal(await open(await resetToken(email)))
    expect((await reset(token)).status).toBe(204)
  })

  test('and the change of the password at once: one wins', async () => {
    const { email, session } = await person()
    const token = await resetToken(email)
    const [changed, resetted] = await Promise.all([
      change(session, GOOD_PASSWORD, 'yet another password'),
      reset(token),
    ])
    const isReset = resetted.status === 204
    expect(changed.status).toBe(isReset ? 401 : 200)
    expect(await tryLogin(email, isReset ? NEW_PASSWORD : 'yet another password')).toBe(200)
    expect(await tryLogin(email, isReset ? 'yet another password' : NEW_PASSWORD)).toBe(401)
    expect(await isAlive(session)).toBe(false)
  })
})

/** What a server's routes work with, beside that server: over the same database, keys and clock. */
const services = ({ config, keystore, database, clock }: TestServer) =>
  compose({ config, keystore, database, clock, logger: createLogger('silent') })

describe('signing in while the password changes', () => {
  test.each(['change', 'reset'] as const)('leaves no session: %s', async (how) => {
    const { email, session } = await person()
    const { accounts, clients, sessions } = services(server)
    // A sign-in that has checked the password, and has not yet started its session.
    const stale = (await accounts.findByEmail(email))!
    const answer = await (how === 'change'
      ? change(session, GOOD_PASSWORD, NEW_PASSWORD)
      : reset(await resetToken(email)))
    expect(answer.status).toBe(how === 'change' ? 200 : 204)
    const registered = (await clients.find(client.id))!
    expect(await sessions.start(stale, registered)).toEqual({ outcome: 'account_changed' })
    const ids = await server.database
      .selectFrom('sessions')
      .select('id')
      .where('account_id', '=', stale.id)
      .execute()
    expect(ids).toEqual(how === 'change' ? [{ id: session.sessionId }] : [])
    const fresh = (await accounts.findByEmail(email))!
    expect(await sessions.start(fresh, registered)).toMatchObject({ outcome: 'started' })
  })

  test('over HTTP: whatever the order, no session of the old password is left', async () => {
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
    const fresh = { accessJws: await client.open(changed.body.access_token) }
    const { body } = await client.sendAs(fresh, 'GET', '/account/sessions')
    expect(body.sessions).toHaveLength(1)
  })
})
