import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { hash } from '@node-rs/argon2'
import { GOOD_PASSWORD, someEmail, TestClient, type TestSession } from '../support/client.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

const EMAIL = 'Ada@Mail.test'

let server: TestServer
let client: TestClient
let first: TestSession

beforeAll(async () => {
  server = await startTestServer({ productionHashes: true })
  client = await TestClient.registered(server.url)
  first = await client.signUp(EMAIL)
})
afterAll(() => server.stop())

const login = (members: Record<string, unknown> = {}) =>
  client.send('POST', '/account/login', {
    email: EMAIL,
    password: GOOD_PASSWORD,
    client_id: client.id,
    ...members,
  })

test('signing in starts a session of the same account, beside the first', async () => {
  const answer = await login()
  expect(answer.status).toBe(200)
  expect(answer.headers.get('cache-control')).toBe('no-store')
  expect(Object.keys(answer.body).sort()).toEqual(Object.keys(first.answer.body).sort())
  expect(answer.body).toMatchObject({
    account: first.answer.body.account,
    token_type: 'Bearer',
    expires_in: 900,
  })
  expect(answer.body.session_id).not.toBe(first.sessionId)
  expect(answer.body.database_key).not.toBe(first.databaseKey)
  expect((await client.sendAs(first, 'GET', '/account')).body.session_id).toBe(first.sessionId)
})

test.each(['ada@mail.test', 'ADA@MAIL.TEST'])(
  'the address is compared without regard to case: %s',
  async (email) => {
    const answer = await login({ email })
    expect([answer.status, answer.body.account?.email]).toEqual([200, EMAIL])
  },
)

test('a stored hash that would take hours to check is 500 and an error in the log, and stays', async () => {
  const email = someEmail()
  await client.signUp(email)
  const hashes = () =>
    server.database.selectFrom('accounts').select('password_hash').where('email', '=', email)
  const { password_hash } = await hashes().executeTakeFirstOrThrow()
  const damaged = password_hash.replace('m=19456,t=2', 'm=19456,t=4294967295')
  await server.database
    .updateTable('accounts')
    .set({ password_hash: damaged })
    .where('email', '=', email)
    .execute()
  server.logs.length = 0
  const answer = await login({ email })
  expect([answer.status, answer.body.error]).toEqual([500, 'server_error'])
  expect(server.logs.map((line) => JSON.parse(line) as object)).toContainEqual(
    expect.objectContaining({
      level: 'error',
      err: expect.objectContaining({ message: expect.stringMatching(/^A stored password hash/) }),
    }),
  )
  expect(await hashes().execute()).toEqual([{ password_hash: damaged }])
})

test('an unknown address and a wrong password are answered alike', async () => {
  const wrong = await login({ password: 'not the password' })
  expect(wrong.status).toBe(401)
  expect(wrong.body).toEqual({ error: 'invalid_grant', error_description: expect.any(String) })
  expect(wrong.headers.get('www-authenticate')).toBe('Bearer realm="jwe-auth-server"')
  const visible = (headers: Headers) =>
    [...headers].filter(([name]) => !['date', 'x-request-id'].includes(name))
  for (const members of [
    { email: someEmail() },
    { email: 'not an address' },
    { email: '' },
    { email: ` ${EMAIL}` },
    { password: '' },
    { password: ` ${GOOD_PASSWORD}` },
    { password: GOOD_PASSWORD.toUpperCase() },
    { password: 'x'.repeat(512) },
  ]) {
    const answer = await login(members)
    expect([answer.status, answer.text]).toEqual([wrong.status, wrong.text])
    expect(visible(answer.headers)).toEqual(visible(wrong.headers))
  }
})

test.each([
  ['email', undefined],
  ['email', 1],
  ['email', '\ud800'],
  ['password', undefined],
  ['password', null],
  ['password', `${GOOD_PASSWORD}\udfff`],
  ['password', 'x'.repeat(513)],
  ['client_id', undefined],
  ['client_id', {}],
])('names the member %s if it is %j', async (name, value) => {
  const answer = await login({ [name]: value })
  expect([answer.status, answer.body.error]).toEqual([400, 'invalid_request'])
  expect(answer.body.error_description).toMatch(new RegExp(`^${name} `))
})

test.each([GOOD_PASSWORD, 'not the password'])(
  'an unknown client is refused, whatever the password: %s',
  async (password) => {
    const answer = await login({ client_id: 'nobody', password })
    expect([answer.status, answer.body.error]).toEqual([400, 'invalid_client'])
  },
)

test('another client of the same person gets tokens that only it can open', async () => {
  const other = await TestClient.registered(server.url)
  const session = await other.login(EMAIL)
  expect((await other.sendAs(session, 'GET', '/account')).status).toBe(200)
  await expect(client.open(session.answer.body.access_token)).rejects.toThrow()
})

describe('a hash made with other parameters', () => {
  const email = someEmail()
  const storedHash = async () =>
    (
      await server.database
        .selectFrom('accounts')
        .select('password_hash')
        .where('email', '=', email)
        .executeTakeFirstOrThrow()
    ).password_hash

  test('is replaced once, when its owner signs in', async () => {
    await client.signUp(email)
    const weak = await hash(GOOD_PASSWORD, { memoryCost: 8 * 1024, timeCost: 1, parallelism: 1 })
    await server.database
      .updateTable('accounts')
      .set({ password_hash: weak })
      .where('email', '=', email)
      .execute()

    expect((await login({ email, password: 'not the password' })).status).toBe(401)
    expect(await storedHash()).toBe(weak)

    expect((await login({ email })).status).toBe(200)
    const strong = await storedHash()
    expect(strong).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/)

    expect((await login({ email })).status).toBe(200)
    expect(await storedHash()).toBe(strong)
    expect((await login({ email, password: 'not the password' })).status).toBe(401)
  })
})
