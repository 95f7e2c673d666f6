import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { CompactSign, decodeJwt, decodeProtectedHeader } from 'jose'
import { compose } from '../../../server/composition.ts'
import { createLogger } from '../../../server/log/logger.ts'
import { changeScope } from '../../../server/commands/account/change-scope.ts'
import { GOOD_PASSWORD, someEmail, TestClient } from '../../support/client.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'
import {
  openReset,
  resetTokenFor,
  startResetServer,
  UNLIMITED,
  type ResetServer,
} from './reset-server.ts'

const NEW_PASSWORD = 'another brick in the wall'

const REFUSED = {
  error: 'invalid_grant',
  error_description: 'The reset token is not valid, has expired or was used.',
}

let server: ResetServer
let client: TestClient
beforeAll(async () => {
  server = await startResetServer({ config: { rateLimits: UNLIMITED } })
  client = await TestClient.registered(server.url)
})
afterAll(() => server.stop())

/** A new person, signed in. */
async function person() {
  const email = someEmail()
  return { email, session: await client.signUp(email) }
}
const isAlive = async (session: { readonly accessJws: string }) =>
  (await client.sendAs(session, 'GET', '/account')).status === 200
const tryLogin = async (email: string, password: string) =>
  (await client.send('POST', '/account/login', { email, password, client_id: client.id })).status
const reset = (token: unknown, new_password: unknown = NEW_PASSWORD) =>
  client.send('PUT', '/account/password-reset', { token, new_password })
const resetToken = (email: string) => resetTokenFor(server, client, email)
/** The JWS in a token. */
const open = (token: string) => openReset(server, token)
const change = (
  session: { readonly accessJws: string },
  current_password: unknown,
  new_password: unknown,
) => client.sendAs(session, 'PUT', '/account/password', { current_password, new_password })

/** The services behind a server's routes, with the same database, keys and clock. */
const services = ({ config, keystore, database, clock }: TestServer) =>
  compose({ config, keystore, database, clock, logger: createLogger('silent') })

describe('a reset token', () => {
  test('is encrypted to the server, with the claims of the contract', async () => {
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

  test('sets the password and ends every session of that account only', async () => {
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

  test('can be used once', async () => {
    const { email } = await person()
    const token = await resetToken(email)
    expect((await reset(token)).status).toBe(204)
    const again = await reset(token, 'yet another password')
    expect([again.status, again.body]).toEqual([400, REFUSED])
    expect(await tryLogin(email, NEW_PASSWORD)).toBe(200)
  })

  test('can be used once of ten concurrent tries', async () => {
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

  test('is used up with every other token of the account, concurrently too', async () => {
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
  ])('after %i s is answered with %i', async (seconds, status) => {
    const { email } = await person()
    const token = await resetToken(email)
    server.clock.advance(seconds)
    const answer = await reset(token)
    expect(answer.status).toBe(status)
    if (status === 400) expect(answer.body).toEqual(REFUSED)
  })

  test('is not valid after a change of the password', async () => {
    const { email, session } = await person()
    const token = await resetToken(email)
    expect((await change(session, GOOD_PASSWORD, 'yet another password')).status).toBe(200)
    expect((await reset(token)).body).toEqual(REFUSED)
    expect(await tryLogin(email, 'yet another password')).toBe(200)
  })

  test('stays valid after a rehash of the password', async () => {
    const { email, session } = await person()
    const token = await resetToken(email)
    const { id } = session.answer.body.account as { id: string }
    const { accounts } = services(server)
    await accounts.rehash(
      (await accounts.find(id))!,
      await services(server).passwords.hash('same', { address: '' }),
    )
    expect((await reset(token)).status).toBe(204)
  })

  test('is not valid after the account was removed, even if the address has a new one', async () => {
    const { email, session } = await person()
    const token = await resetToken(email)
    const remove = { password: GOOD_PASSWORD }
    expect((await client.sendAs(session, 'DELETE', '/account', remove)).status).toBe(204)
    expect((await reset(token)).body).toEqual(REFUSED)
    const successor = await client.signUp(email)
    expect((await reset(token)).body).toEqual(REFUSED)
    expect(await isAlive(successor)).toBe(true)
  })

  test('is not valid after a change of the scope', async () => {
    const { email, session } = await person()
    const token = await resetToken(email)
    const account = (await services(server).accounts.find(session.answer.body.account.id))!
    const ended = await changeScope(server.database, account, 'user admin')
    expect(ended).toEqual([session.sessionId])
    expect((await reset(token)).body).toEqual(REFUSED)
  })

  test('is stored as a hash: no column has it or its jti', async () => {
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

  test('needs no access token, and one in the header is not read', async () => {
    const { email, session } = await person()
    const body = { token: await resetToken(email), new_password: NEW_PASSWORD }
    const garbage = { authorization: 'Bearer garbage' }
    expect((await client.send('PUT', '/account/password-reset', body, garbage)).status).toBe(204)
    expect(await isAlive(session)).toBe(false)
  })

  test('is not accepted by PUT /account/password', async () => {
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
    'that is %j is refused with an error that names token',
    async (token) => {
      const answer = await reset(token)
      expect([answer.status, answer.body.error]).toEqual([400, 'invalid_request'])
      expect(answer.body.error_description).toMatch(/^token /)
    },
  )

  describe('is refused in the same words, and changes nothing:', () => {
    /** A token signed by the server, with other claims or another header. */
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

    test('but a token from mint() without changes is accepted', async () => {
      const { email } = await person()
      expect((await reset(await mint(await resetToken(email), {}))).status).toBe(204)
    })

    test.each<[string, (token: string, own: Awaited<ReturnType<typeof person>>) => unknown]>([
      ['not a token', () => 'garbage'],
      ['an empty string', () => ''],
      ['over 8 KiB', () => 'x'.repeat(9000)],
      ['a bare JWS', (token) => open(token)],
      ['cut off', (token) => token.slice(0, -1)],
      ['with a trailing space', (token) => `${token} `],
      ['an access token', (_, { session }) => client.seal(session.accessJws)],
      ['a refresh token', (_, { session }) => client.seal(session.refreshJws)],
      ['with the typ of an access token', (token) => mint(token, {}, { typ: 'at+jwt' })],
      ['without a typ', (token) => mint(token, {}, { typ: undefined })],
      ['of another audience', (token) => mint(token, { aud: '/account/password' })],
      ['of another issuer', (token) => mint(token, { iss: 'https://other.test' })],
      ['with a jti that was never mailed', (token) => mint(token, { jti: 'another' })],
      ['without an exp', (token) => mint(token, { exp: undefined })],
      ['with an additional claim', (token) => mint(token, { admin: true })],
      ['expired', (token) => mint(token, { exp: Math.floor(server.clock() / 1000) })],
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

  test('is refused as an access token and as a refresh token', async () => {
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

  test('can be sealed again by whoever has its JWS', async () => {
    const { email } = await person()
    const token = await client.seal(await open(await resetToken(email)))
    expect((await reset(token)).status).toBe(204)
  })

  test('and a change of the password at the same time: one wins', async () => {
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

test('a sign-in that checked the old password starts no session after a reset', async () => {
  const { email } = await person()
  const { accounts, clients, sessions } = services(server)
  const stale = (await accounts.findByEmail(email))!
  expect((await reset(await resetToken(email))).status).toBe(204)
  const registered = (await clients.find(client.id))!
  expect(await sessions.start(stale, registered)).toBeUndefined()
  const ids = await server.database
    .selectFrom('sessions')
    .select('id')
    .where('account_id', '=', stale.id)
    .execute()
  expect(ids).toEqual([])
  const fresh = (await accounts.findByEmail(email))!
  expect(await sessions.start(fresh, registered)).toBeDefined()
})
