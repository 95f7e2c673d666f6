import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import { GOOD_PASSWORD, someEmail, TestClient } from '../support/client.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

let server: TestServer
let client: TestClient

beforeAll(async () => {
  server = await startTestServer()
  client = await TestClient.registered(server.url)
})
afterAll(() => server.stop())

const signUp = (members: Record<string, unknown> = {}) =>
  client.send('POST', '/account', {
    email: someEmail(),
    password: GOOD_PASSWORD,
    client_id: client.id,
    ...members,
  })

const login = (email: string, password: string) =>
  client.send('POST', '/account/login', { email, password, client_id: client.id })

const countRows = async () => ({
  accounts: (await server.database.selectFrom('accounts').selectAll().execute()).length,
  sessions: (await server.database.selectFrom('sessions').selectAll().execute()).length,
})

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

test('creates an account and a session, and ignores members that clients may not set', async () => {
  const email = 'Grace.Hopper+navy@Mail.test'
  const answer = await signUp({
    email,
    name: 'Grace ⚓',
    scope: 'admin',
    id: 'chosen',
    created_at: 1,
  })
  expect(answer.status).toBe(201)
  expect(answer.headers.get('cache-control')).toBe('no-store')
  expect(answer.body).toEqual({
    // A clone may add fields.
    account: expect.objectContaining({
      id: expect.stringMatching(UUID),
      email,
      name: 'Grace ⚓',
      scope: 'user',
      created_at: new Date(server.clock()).toISOString(),
    }),
    session_id: expect.stringMatching(UUID),
    database_key: expect.stringMatching(/^[\w-]{43}$/),
    access_token: expect.any(String),
    refresh_token: expect.any(String),
    token_type: 'Bearer',
    expires_in: 900,
  })
  expect(JSON.stringify(answer.body.account)).not.toMatch(/password|argon2|email_key|version/)
})

test('the name is optional', async () => {
  expect((await signUp()).body.account.name).toBeNull()
})

test('the tokens are nested JWTs, encrypted to the client, with the claims of the contract', async () => {
  const { body } = await signUp()
  const iat = Math.floor(server.clock() / 1000)
  const { kid } = server.keystore.signingKey
  const claims = {
    iss: server.config.issuer,
    sub: body.account.id,
    aud: client.id,
    client_id: client.id,
    iat,
    jti: expect.stringMatching(UUID),
    sid: body.session_id,
  }
  for (const [jwe, typ, expected] of [
    [body.access_token, 'at+jwt', { ...claims, exp: iat + 900, scope: 'user' }],
    [body.refresh_token, 'rt+jwt', { ...claims, exp: iat + 30 * 86_400 }],
  ] as const) {
    expect(decodeProtectedHeader(jwe)).toEqual({
      alg: 'ECDH-ES+A128KW',
      enc: 'A128GCM',
      kid: client.id,
      cty: 'JWT',
      epk: { kty: 'EC', crv: 'P-256', x: expect.any(String), y: expect.any(String) },
    })
    const jws = await client.open(jwe)
    expect(decodeProtectedHeader(jws)).toEqual({ alg: 'ES256', kid, typ })
    // A clone may add claims.
    expect(decodeJwt(jws)).toMatchObject(expected)
  }
})

describe('an e-mail address', () => {
  test.each([
    ['spelled alike', 'twice@mail.test', 'twice@mail.test'],
    ['in another case', 'cases@mail.test', 'CASES@Mail.Test'],
  ])('that has an account is a conflict: %s', async (_, first, second) => {
    expect((await signUp({ email: first })).status).toBe(201)
    const rows = await countRows()
    const answer = await signUp({ email: second, password: 'another good password' })
    expect([answer.status, answer.body.error]).toEqual([409, 'account_exists'])
    expect(await countRows()).toEqual(rows)
    expect((await login(second, GOOD_PASSWORD)).status).toBe(200)
  })

  test('gets one account from simultaneous sign-ups', async () => {
    const rows = await countRows()
    const emails = ['race@mail.test', 'RACE@mail.test', 'Race@mail.test']
    const answers = await Promise.all(emails.map((email) => signUp({ email })))
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 409, 409])
    for (const { status, body } of answers) {
      if (status === 409) expect(body.error).toBe('account_exists')
    }
    expect(await countRows()).toEqual({ accounts: rows.accounts + 1, sessions: rows.sessions + 1 })
  })
})

describe('an invalid member is named, and nothing is stored:', () => {
  const longest = `${'a'.repeat(64)}@${'b'.repeat(60)}.${'c'.repeat(60)}.${'d'.repeat(60)}`

  test.each([
    ['email', undefined],
    ['email', null],
    ['email', 1],
    ['email', ['a@mail.test']],
    ['email', ''],
    ['email', 'nobody'],
    ['email', '@mail.test'],
    ['email', 'a@'],
    ['email', 'a@b@mail.test'],
    ['email', 'a b@mail.test'],
    ['email', `${'x'.repeat(65)}@mail.test`],
    ['email', 'a@mail-.test'],
    ['email', ' a@mail.test'],
    ['email', 'a@mail.test\n'],
    ['email', 'a@mail.test\r\nBcc: b@mail.test'],
    ['email', `${longest}.${'e'.repeat(60)}.test`],
    ['email', '\ud800@mail.test'],
    ['password', undefined],
    ['password', null],
    ['password', 12345678],
    ['password', ''],
    ['password', 'x7Kq-9f'],
    ['password', 'x'.repeat(129)],
    ['password', 'password123'],
    ['password', 'Football'],
    ['password', 'x'.repeat(20)],
    ['password', 'JWE auth server'],
    ['password', 'well-formed? \ud83d no'],
    ['name', null],
    ['name', 1],
    ['name', ''],
    ['name', 'x'.repeat(201)],
    ['name', 'two\nlines'],
    ['name', '\udc00'],
    ['client_id', undefined],
    ['client_id', 1],
    ['client_id', '\ud800'],
  ])('%s %j', async (name, value) => {
    const rows = await countRows()
    const answer = await signUp({ [name]: value })
    expect(answer.status).toBe(400)
    expect(answer.body).toEqual({
      error: 'invalid_request',
      error_description: expect.stringMatching(new RegExp(`^${name} \\S.*\\.$`)),
    })
    if (typeof value === 'string' && value.length > 3) expect(answer.text).not.toContain(value)
    expect(await countRows()).toEqual(rows)
  })

  test('a password that contains the address', async () => {
    const answer = await signUp({ email: 'ada@mail.test', password: 'I am ADA@mail.test' })
    expect([answer.status, answer.body.error]).toEqual([400, 'invalid_request'])
    expect(answer.body.error_description).toMatch(/^password .*address/)
  })

  test.each(['', 'nobody', 'x'.repeat(1000)])('the unknown client "%s"', async (client_id) => {
    const rows = await countRows()
    const answer = await signUp({ client_id })
    expect([answer.status, answer.body.error]).toEqual([400, 'invalid_client'])
    expect(await countRows()).toEqual(rows)
  })
})

describe('a password', () => {
  test.each([
    ['of 8 code points in 16 code units', '🦊🐻🐼🐨🐯🦁🐮🐷'],
    ['of 128 characters', 'xy'.repeat(64)],
    ['of 128 emoji', '🦊🐻'.repeat(64)],
    ['in any script', 'пароль от почты 密码'],
    ['with a NUL in it', 'before\u0000after'],
  ])('%s is accepted and signs in', async (_, password) => {
    const email = someEmail()
    expect((await signUp({ email, password })).status).toBe(201)
    expect((await login(email, password)).status).toBe(200)
    expect((await login(email, password.slice(0, -2))).status).toBe(401)
  })

  test.each([
    ['7 code points in 14 code units', '🦊🐻🐼🐨🐯🦁🐮'],
    ['129 emoji', '🦊'.repeat(129)],
  ])('of %s is refused', async (_, password) => {
    expect((await signUp({ password })).status).toBe(400)
  })

  test('is not trimmed', async () => {
    const email = someEmail()
    await signUp({ email, password: ` ${GOOD_PASSWORD} ` })
    expect((await login(email, GOOD_PASSWORD)).status).toBe(401)
    expect((await login(email, ` ${GOOD_PASSWORD}`)).status).toBe(401)
    expect((await login(email, ` ${GOOD_PASSWORD} `)).status).toBe(200)
  })

  test.each([
    ['NFC', 'NFD'],
    ['NFD', 'NFC'],
  ])('set in %s signs in when typed in %s', async (first, second) => {
    const email = someEmail()
    const password = 'crème brûlée à la façon'
    expect(password.normalize(first)).not.toBe(password.normalize(second))
    await signUp({ email, password: password.normalize(first) })
    expect((await login(email, password.normalize(second))).status).toBe(200)
  })

  test('is stored only as an argon2id hash', async () => {
    const email = someEmail()
    await signUp({ email })
    const rows = await server.database.selectFrom('accounts').selectAll().execute()
    expect(rows.find((row) => row.email === email)?.password_hash).toMatch(/^\$argon2id\$/)
    expect(JSON.stringify(rows)).not.toContain(GOOD_PASSWORD)
  })

  test('has the configured minimum length', async () => {
    const strict = await startTestServer({ config: { passwordMinLength: 15 } })
    const other = await TestClient.registered(strict.url)
    const statusOf = async (password: string) =>
      (
        await other.send('POST', '/account', {
          email: someEmail(),
          password,
          client_id: other.id,
        })
      ).status
    expect(await statusOf('fourteen chars')).toBe(400)
    expect(await statusOf('fifteen chars..')).toBe(201)
    await strict.stop()
  })
})
