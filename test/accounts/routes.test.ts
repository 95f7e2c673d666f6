import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { GOOD_PASSWORD, someEmail, TestClient } from '../support/client.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

let server: TestServer
let client: TestClient

beforeAll(async () => {
  server = await startTestServer()
  client = await TestClient.registered(server.url)
})
afterAll(() => server.stop())

const sessionIds = async () =>
  (await server.database.selectFrom('sessions').select('id').execute()).map(({ id }) => id)

const accountRow = (id: string) =>
  server.database.selectFrom('accounts').selectAll().where('id', '=', id).executeTakeFirst()

test('the whole round trip: sign up, read the account, sign out', async () => {
  const session = await client.signUp('Ada@Example.org')
  const read = await client.sendAs(session, 'GET', '/account')
  expect(read.status).toBe(200)
  expect(read.headers.get('cache-control')).toBe('no-store')
  expect(read.body).toEqual({
    account: session.answer.body.account,
    session_id: session.sessionId,
    database_key: session.databaseKey,
  })
  const signedOut = await client.sendAs(session, 'POST', '/account/logout')
  expect([signedOut.status, signedOut.text]).toEqual([204, ''])
  expect((await client.sendAs(session, 'GET', '/account')).status).toBe(401)
})

test('HEAD /account has no body', async () => {
  const session = await client.signUp()
  const answer = await client.sendAs(session, 'HEAD', '/account')
  expect([answer.status, answer.text]).toEqual([200, ''])
  expect(answer.headers.get('content-type')).toMatch(/^application\/json/)
})

describe('several sessions', () => {
  test('have separate database keys, and signing out ends only one', async () => {
    const email = someEmail()
    const phone = await TestClient.registered(server.url)
    const one = await client.signUp(email)
    const two = await client.login(email)
    const three = await phone.login(email)
    expect(new Set([one, two, three].map(({ databaseKey }) => databaseKey)).size).toBe(3)

    expect((await client.sendAs(two, 'POST', '/account/logout')).status).toBe(204)
    expect((await client.sendAs(two, 'GET', '/account')).status).toBe(401)
    expect((await client.sendAs(two, 'POST', '/account/logout')).status).toBe(401)
    expect(await sessionIds()).not.toContain(two.sessionId)
    for (const [owner, session] of [
      [client, one],
      [phone, three],
    ] as const) {
      const { body } = await owner.sendAs(session, 'GET', '/account')
      expect(body).toMatchObject({
        session_id: session.sessionId,
        database_key: session.databaseKey,
      })
    }
  })
})

describe('changing the account', () => {
  test('sets the name and ignores every other member', async () => {
    const session = await client.signUp()
    const { account } = session.answer.body
    const row = await accountRow(account.id)
    const answer = await client.sendAs(session, 'PATCH', '/account', {
      name: 'Ada 🧮',
      id: 'x',
      email: 'other@mail.test',
      scope: 'admin',
      password_hash: 'x',
    })
    expect(answer.status).toBe(200)
    expect(answer.headers.get('cache-control')).toBe('no-store')
    expect(answer.body).toEqual({ account: { ...account, name: 'Ada 🧮' } })
    expect((await client.sendAs(session, 'GET', '/account')).body.account).toEqual(
      answer.body.account,
    )
    expect(await accountRow(account.id)).toEqual({ ...row, name: 'Ada 🧮' })
  })

  test('changes no other account', async () => {
    const [one, two] = [await client.signUp(), await client.signUp()]
    await client.sendAs(one, 'PATCH', '/account', { name: 'One' })
    expect((await client.sendAs(two, 'GET', '/account')).body.account.name).toBeNull()
  })

  test.each([[undefined], [null], [1], [''], ['x'.repeat(201)], ['a\tb'], ['\ud800'], [['x']]])(
    'refuses the name %j',
    async (name) => {
      const session = await client.login(await owner())
      const answer = await client.sendAs(session, 'PATCH', '/account', { name })
      expect([answer.status, answer.body.error]).toEqual([400, 'invalid_request'])
      expect(answer.body.error_description).toMatch(/^name /)
    },
  )

  let known: Promise<string> | undefined
  const owner = () =>
    (known ??= client.signUp().then(({ answer }) => answer.body.account.email as string))
})

describe('deleting the account', () => {
  test('needs the password, and removes the account with all its sessions', async () => {
    const email = someEmail()
    const one = await client.signUp(email)
    const two = await client.login(email)
    const bystander = await client.signUp()
    const { id } = one.answer.body.account

    const answer = await client.sendAs(one, 'DELETE', '/account', { password: GOOD_PASSWORD })
    expect([answer.status, answer.text]).toEqual([204, ''])
    expect(await accountRow(id)).toBeUndefined()
    const left = await sessionIds()
    expect(left).not.toContain(one.sessionId)
    expect(left).not.toContain(two.sessionId)
    expect((await client.sendAs(two, 'GET', '/account')).status).toBe(401)

    expect((await client.sendAs(bystander, 'GET', '/account')).status).toBe(200)
    await expect(client.login(email)).rejects.toThrow('401')
    expect((await client.signUp(email)).answer.body.account.id).not.toBe(id)
  })

  test.each([
    ['a wrong password', { password: 'not the password' }, 'invalid_grant'],
    ['an empty password', { password: '' }, 'invalid_grant'],
    ['no password', {}, 'invalid_request'],
    ['a password that is not a string', { password: 1 }, 'invalid_request'],
    ['no body', undefined, 'invalid_request'],
  ])('with %s removes nothing', async (_, body, error) => {
    const session = await client.signUp()
    const answer = await client.sendAs(session, 'DELETE', '/account', body)
    expect([answer.status, answer.body.error]).toEqual([400, error])
    expect((await client.sendAs(session, 'GET', '/account')).status).toBe(200)
  })
})
