import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { decodeJwt } from 'jose'
import { createAccounts } from '../../../server/accounts/accounts.ts'
import { changeScope } from '../../../server/commands/account/change-scope.ts'
import { admin as adminFeature } from '../../../server/features/admin/index.ts'
import { someEmail, TestClient, type TestSession } from '../../support/client.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'

let server: TestServer
let client: TestClient
let admin: TestSession
let user: TestSession
/** The ids of all seven accounts in the expected order: by time, then by id. */
let inOrder: string[]

const scopeTo = async (email: string, scope: string) => {
  const account = (await createAccounts(server.database, server.clock).findByEmail(email))!
  return changeScope(server.database, account, scope)
}

beforeAll(async () => {
  server = await startTestServer({ features: [adminFeature] })
  client = await TestClient.registered(server.url)
  const sessions: TestSession[] = []
  for (const [index, advance] of [0, 0, 0, 0, 5, 5, 0].entries()) {
    server.clock.advance(advance)
    sessions.push(await client.signUp(`page-${index}@mail.test`))
  }
  user = sessions[0]!
  await scopeTo('page-3@mail.test', 'user admin')
  admin = await client.login('page-3@mail.test')
  const ids = (from: number, to: number) =>
    sessions
      .slice(from, to)
      .map(({ answer }) => answer.body.account.id as string)
      .sort()
  inOrder = [...ids(0, 4), ...ids(4, 5), ...ids(5, 7)]
})
afterAll(() => server.stop())

const get = (query = '', session = admin) =>
  client.sendAs(session, 'GET', `/admin/accounts${query}`)
const idsOf = (body: { accounts: { id: string }[] }) => body.accounts.map(({ id }) => id)

describe('the list of accounts', () => {
  test('has every account as its owner sees it, oldest first', async () => {
    const { status, headers, body } = await get()
    expect(status).toBe(200)
    expect(headers.get('cache-control')).toBe('no-store')
    expect(idsOf(body)).toEqual(inOrder)
    expect(body.next_cursor).toBeNull()
    expect(body.accounts).toContainEqual(user.answer.body.account)
    for (const account of body.accounts) {
      const shown = ['id', 'email', 'name', 'scope', 'created_at']
      expect(Object.keys(account)).toEqual(expect.arrayContaining(shown))
      expect(JSON.stringify(account)).not.toMatch(/password|argon2|email_key|version/)
    }
  })

  test.each([1, 2, 3, 6, 7, 100])('has every account once in pages of %d', async (limit) => {
    const seen: string[] = []
    const sizes: number[] = []
    for (let cursor: string | null = ''; cursor !== null;) {
      const { body } = await get(`?limit=${limit}${cursor === '' ? '' : `&cursor=${cursor}`}`)
      seen.push(...idsOf(body))
      sizes.push(body.accounts.length)
      cursor = body.next_cursor as string | null
      if (sizes.length > 7) throw new Error('It never ends.')
    }
    expect(seen).toEqual(inOrder)
    expect(sizes).toEqual(
      Array.from({ length: Math.ceil(7 / limit) }, (_, i) => Math.min(limit, 7 - i * limit)),
    )
  })

  test('continues without a gap after the account at the cursor was removed', async () => {
    const signUpLater = async () => {
      server.clock.advance(1)
      return (await client.signUp()).answer.body.account.id as string
    }
    const remove = (id: string) =>
      server.database.deleteFrom('accounts').where('id', '=', id).execute()
    const ids = [await signUpLater(), await signUpLater()] as const
    const { body } = await get(`?limit=${inOrder.length + 1}`)
    expect(idsOf(body)).toEqual([...inOrder, ids[0]])
    await remove(ids[0])
    expect(idsOf((await get(`?cursor=${body.next_cursor}`)).body)).toEqual([ids[1]])
    await remove(ids[1])
  })

  test.each([
    ['?limit=0', 'limit'],
    ['?limit=101', 'limit'],
    ['?limit=-1', 'limit'],
    ['?limit=1.5', 'limit'],
    ['?limit=', 'limit'],
    ['?limit=many', 'limit'],
    ['?limit=NaN', 'limit'],
    ['?limit=Infinity', 'limit'],
    ['?limit=1&limit=2', 'limit'],
    ['?cursor=', 'cursor'],
    ['?cursor=x', 'cursor'],
    ['?cursor=a&cursor=b', 'cursor'],
    [`?cursor=${encode('{}')}`, 'cursor'],
    [`?cursor=${encode('[]')}`, 'cursor'],
    [`?cursor=${encode('{"createdAt":"1","id":"x"}')}`, 'cursor'],
    [`?cursor=${encode('{"createdAt":1.5,"id":"x"}')}`, 'cursor'],
    [`?cursor=${encode('{"createdAt":1e400,"id":"x"}')}`, 'cursor'],
    [`?cursor=${encode('{"createdAt":1,"id":1}')}`, 'cursor'],
    [`?cursor=${encode(`{"createdAt":1,"id":"${'x'.repeat(200)}"}`)}`, 'cursor'],
  ])('refuses %s', async (query, name) => {
    const { status, body } = await get(query)
    expect([status, body.error]).toEqual([400, 'invalid_request'])
    expect(body.error_description).toMatch(new RegExp(`^${name} .*\\.$`))
  })
})

function encode(text: string): string {
  return Buffer.from(text).toString('base64url')
}

describe("ending an account's sessions", () => {
  const end = (id: string, session = admin) =>
    client.sendAs(session, 'DELETE', `/admin/accounts/${id}/sessions`)

  test('ends all its sessions and no others, and keeps the account', async () => {
    const email = someEmail()
    const sessions = [await client.signUp(email), await client.login(email)]
    const { id } = sessions[0]!.answer.body.account
    const answer = await end(id)
    expect([answer.status, answer.text]).toEqual([204, ''])
    for (const session of sessions) {
      expect((await client.sendAs(session, 'GET', '/account')).status).toBe(401)
      expect(
        server.logs.filter(
          (line) =>
            line.includes('"audit":"session_ended"') &&
            line.includes(`"account_id":"${id}","session_id":"${session.sessionId}"`),
        ),
      ).toHaveLength(1)
    }
    expect((await client.sendAs(user, 'GET', '/account')).status).toBe(200)
    expect((await end(id)).status).toBe(204)
    await client.login(email)
  })

  test.each(['nobody', '%00', "'%20or%20''='"])('answers 404 for the account %s', async (id) => {
    const answer = await end(id)
    expect([answer.status, answer.body.error]).toEqual([404, 'not_found'])
  })
})

describe('without the admin scope', () => {
  test.each([
    ['GET', '/admin/accounts'],
    ['GET', '/admin/accounts?limit=0'],
    ['DELETE', '/admin/accounts/nobody/sessions'],
  ])('%s %s answers 403 and names the scope', async (method, path) => {
    const answer = await client.sendAs(user, method, path)
    expect([answer.status, answer.body.error]).toEqual([403, 'insufficient_scope'])
    expect(answer.headers.get('www-authenticate')).toBe(
      `Bearer realm="jwe-auth-server", error="insufficient_scope", error_description="${answer.body.error_description}", scope="admin"`,
    )
    const anonymous = await client.send(method, path)
    expect([anonymous.status, anonymous.body.error]).toEqual([401, 'invalid_token'])
  })

  test('no session is ended', async () => {
    const { id } = user.answer.body.account
    const answer = await client.sendAs(user, 'DELETE', `/admin/accounts/${id}/sessions`)
    expect(answer.status).toBe(403)
    expect((await client.sendAs(user, 'GET', '/account')).status).toBe(200)
  })
})

test('a change of scope ends every session, and the next token has the new scope', async () => {
  const email = someEmail()
  const before = [await client.signUp(email), await client.login(email)]
  expect((await scopeTo(email, 'user admin'))!.sort()).toEqual(
    before.map(({ sessionId }) => sessionId).sort(),
  )
  for (const session of before) {
    expect((await get('', session)).status).toBe(401)
    const { status, body } = await client.send('POST', '/token', {
      grant_type: 'refresh_token',
      refresh_token: await client.seal(session.refreshJws),
    })
    expect([status, body.error]).toEqual([400, 'invalid_grant'])
  }
  const after = await client.login(email)
  expect(decodeJwt(after.accessJws)['scope']).toBe('user admin')
  expect(after.answer.body.account.scope).toBe('user admin')
  expect((await get('', after)).status).toBe(200)

  await scopeTo(email, 'user')
  expect((await get('', after)).status).toBe(401)
  expect((await get('', await client.login(email))).status).toBe(403)
})
