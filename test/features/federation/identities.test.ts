import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { createClock } from '../../support/clock.ts'
import { GOOD_PASSWORD, someEmail, TestClient, type TestSession } from '../../support/client.ts'
import { logLines } from '../../support/log-lines.ts'
import type { TestServer } from '../../support/server.ts'
import { exchange, exchanged, Provider, REFUSED, startFederated } from './provider.ts'

const clock = createClock()
let server: TestServer
let client: TestClient
let provider: Provider
beforeAll(async () => {
  provider = await Provider.start(clock)
  ;({ server, client } = await startFederated(clock, [provider.entry()]))
})
afterAll(() => Promise.all([server.stop(), provider.stop()]))

let people = 0
let person: { sub: string; email: string }
beforeEach(() => {
  person = { sub: `person-${++people}`, email: someEmail() }
})

const PATH = '/account/identities'
const token = (changes: object = {}, of = client) =>
  provider.idToken(of.id, { ...person, ...changes })
const link = (session: TestSession, subject_token: unknown, of = client) =>
  of.sendAs(session, 'POST', PATH, { subject_token })
const list = async (session: TestSession) =>
  (await client.sendAs(session, 'GET', PATH)).body.identities as { identity_id: string }[]
const unlink = (session: TestSession, id: string) =>
  client.sendAs(session, 'DELETE', `${PATH}/${id}`)

describe('linking', () => {
  test('adds an identity, which is listed and signs in from then on', async () => {
    const session = await client.signUp()
    expect(await list(session)).toEqual([])
    const answer = await link(session, await token())
    expect(answer.status).toBe(201)
    expect(answer.body).toEqual({
      identity_id: expect.stringMatching(/^[\w-]+$/),
      issuer: provider.issuer,
      created_at: new Date(clock()).toISOString(),
    })
    expect(await list(session)).toEqual([answer.body])
    const other = await exchanged(client, await token())
    expect(other.answer.body.account).toEqual(session.answer.body.account)
    expect(logLines(server, answer.headers.get('x-request-id')!)).toContainEqual(
      expect.objectContaining({ audit: 'identity_linked', session_id: session.sessionId }),
    )
  })

  test('is refused for an identity of this or another account', async () => {
    const sessions = [await client.signUp(), await client.signUp()]
    expect((await link(sessions[0]!, await token())).status).toBe(201)
    for (const session of sessions) {
      const answer = await link(session, await token())
      expect([answer.status, answer.body.error]).toEqual([409, 'identity_exists'])
    }
    expect(await list(sessions[1]!)).toEqual([])
  })

  test('accepts an ID token once, and only from the client that it names', async () => {
    const session = await client.signUp()
    const thief = await TestClient.registered(server.url)
    const used = await token()
    expect((await link(await thief.signUp(), used, thief)).body).toEqual(REFUSED)
    expect((await link(session, used)).status).toBe(201)
    const [{ identity_id } = { identity_id: '' }] = await list(session)
    expect((await unlink(session, identity_id)).status).toBe(204)
    expect((await link(session, used)).body).toEqual(REFUSED)
    expect(await list(session)).toEqual([])
  })

  test.each([undefined, 7, ['x']])('refuses the token %j', async (subject_token) => {
    const answer = await link(await client.signUp(), subject_token)
    expect(answer.body.error_description).toMatch(/^subject_token /)
  })

  test('needs an access token, as listing and unlinking do', async () => {
    for (const [method, path] of [
      ['GET', PATH],
      ['POST', PATH],
      ['DELETE', `${PATH}/x`],
    ] as const) {
      expect((await client.send(method, path)).status).toBe(401)
    }
  })
})

describe('unlinking', () => {
  test('removes the identity, which then gives a new account', async () => {
    const session = await client.signUp()
    const { identity_id } = (await link(session, await token())).body
    const answer = await unlink(session, identity_id)
    expect([answer.status, answer.text]).toEqual([204, ''])
    expect(await list(session)).toEqual([])
    expect((await unlink(session, identity_id)).status).toBe(404)
    const other = await exchanged(client, await token())
    expect(other.answer.body.account.id).not.toBe(session.answer.body.account.id)
  })

  test('answers 404 for an identity of another account', async () => {
    const [owner, other] = [await client.signUp(), await client.signUp()]
    const { identity_id } = (await link(owner, await token())).body
    expect((await unlink(other, identity_id)).status).toBe(404)
    expect(await list(owner)).toHaveLength(1)
  })

  test('refuses to remove the last way in', async () => {
    const session = await exchanged(client, await token())
    const [only] = await list(session)
    const refused = await unlink(session, only!.identity_id)
    expect([refused.status, refused.body.error]).toEqual([409, 'last_way_in'])
    const second = await link(session, await token({ sub: `${person.sub}-2` }))
    expect((await unlink(session, only!.identity_id)).status).toBe(204)
    expect((await unlink(session, second.body.identity_id)).status).toBe(409)
  })

  test('removes one of the last two at most, even concurrently', async () => {
    const session = await exchanged(client, await token())
    await link(session, await token({ sub: `${person.sub}-2` }))
    const ids = (await list(session)).map(({ identity_id }) => identity_id)
    const answers = await Promise.all(ids.map((id) => unlink(session, id)))
    expect(answers.map(({ status }) => status).sort()).toEqual([204, 409])
    expect(await list(session)).toHaveLength(1)
  })

  test('does not count identities of an issuer that is no longer trusted', async () => {
    const session = await exchanged(client, await token())
    await link(session, await token({ sub: `${person.sub}-2` }))
    const [first, second] = await list(session)
    await server.database
      .withTables<{ identities: { id: string; issuer: string } }>()
      .updateTable('identities')
      .set({ issuer: 'https://former.test' })
      .where('id', '=', second!.identity_id)
      .execute()
    expect((await unlink(session, first!.identity_id)).status).toBe(409)
    expect((await unlink(session, second!.identity_id)).status).toBe(204)
  })
})

describe('removing the account with an ID token', () => {
  const remove = (session: TestSession, body: object) =>
    client.sendAs(session, 'DELETE', '/account', body)
  const now = () => Math.floor(clock() / 1000)

  test('accepts a fresh one once, and removes the identities too', async () => {
    const session = await exchanged(client, await token())
    const proof = await token({ iat: now() - 300, auth_time: now() - 300 })
    expect((await remove(session, { subject_token: proof })).status).toBe(204)
    expect((await client.sendAs(session, 'GET', '/account')).status).toBe(401)
    const again = await exchanged(client, await token())
    expect((await remove(again, { subject_token: proof })).body).toEqual(REFUSED)
    expect(again.answer.body.account.id).not.toBe(session.answer.body.account.id)
  })

  test.each<[string, object]>([
    ['an ID token that is too old', { iat: -301 }],
    ['a sign-in that is too old', { auth_time: -301 }],
  ])('refuses %s', async (_, ages) => {
    const session = await exchanged(client, await token())
    const times = Object.entries(ages).map(([name, age]) => [name, now() + Number(age)])
    const proof = await token(Object.fromEntries(times) as object)
    expect((await remove(session, { subject_token: proof })).body).toEqual(REFUSED)
  })

  test('refuses an ID token of another account or of none', async () => {
    const session = await client.signUp()
    await exchanged(client, await token())
    for (const sub of [person.sub, `${person.sub}-unknown`]) {
      const proof = await token({ sub })
      expect((await remove(session, { subject_token: proof })).body).toEqual(REFUSED)
    }
    expect((await remove(session, { password: GOOD_PASSWORD })).status).toBe(204)
  })

  test('refuses an ID token that was used or is for another client', async () => {
    const used = await token()
    const session = await exchanged(client, used)
    const thief = await TestClient.registered(server.url)
    for (const proof of [used, await token({}, thief), 'garbage', '']) {
      expect((await remove(session, { subject_token: proof })).body).toEqual(REFUSED)
    }
    expect((await exchange(client, await token())).status).toBe(200)
  })

  test('refuses any password for an account without one', async () => {
    const session = await exchanged(client, await token())
    for (const password of ['', GOOD_PASSWORD]) {
      expect((await remove(session, { password })).body.error).toBe('invalid_grant')
    }
  })
})
