import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { createAccounts } from '../../../server/accounts/accounts.ts'
import { handOver } from '../../../server/accounts/change-account.ts'
import { createClock } from '../../support/clock.ts'
import type { TestClient } from '../../support/client.ts'
import { GOOD_PASSWORD, someEmail } from '../../support/client.ts'
import { logLines } from '../../support/log-lines.ts'
import { createCheapHasher } from '../../support/passwords.ts'
import type { TestServer } from '../../support/server.ts'
import { exchange, exchanged, Provider, REFUSED, startFederated } from './provider.ts'

const clock = createClock()
let server: TestServer
let client: TestClient
/** `trusted` may link by a verified address, `other` may only create accounts, `closed` neither. */
let trusted: Provider
let other: Provider
let closed: Provider
beforeAll(async () => {
  ;[trusted, other, closed] = await Promise.all([
    Provider.start(clock),
    Provider.start(clock),
    Provider.start(clock),
  ])
  ;({ server, client } = await startFederated(clock, [
    trusted.entry({ link_verified_email: true }),
    other.entry(),
    closed.entry({ sign_up: false }),
  ]))
})
afterAll(async () => {
  await Promise.all([server, trusted, other, closed].map((each) => each.stop()))
})

let people = 0
const personOf = (email: string) => ({ sub: `person-${++people}`, email, email_verified: true })
const tokenOf = (provider: Provider, person: object, of = client) => provider.idToken(of.id, person)
const isAlive = async (session: { accessJws: string }) =>
  (await client.sendAs(session, 'GET', '/account')).status === 200
const login = async (email: string, password = GOOD_PASSWORD) => {
  const body = { email, password, client_id: client.id }
  return (await client.send('POST', '/account/login', body)).status
}
/** The effect of a completed reset, without the mail. */
async function completeReset(email: string): Promise<void> {
  const account = await createAccounts(server.database, clock).findByEmail(email)
  const passwordHash = await createCheapHasher().hash(GOOD_PASSWORD, { address: '' })
  await server.database
    .transaction()
    .execute((trx) =>
      handOver(trx, account!, { password_hash: passwordHash, email_verified_at: clock() }),
    )
}
const identitiesOf = async (session: { accessJws: string }) => {
  const { body } = await client.sendAs(session, 'GET', '/account/identities')
  return (body.identities as { issuer: string }[]).map(({ issuer }) => issuer)
}

describe('an account with the same address', () => {
  test.each<[string, () => Provider, object]>([
    ['the issuer may not link', () => other, {}],
    ['the issuer has not verified it', () => trusted, { email_verified: false }],
    ['email_verified is not a boolean', () => trusted, { email_verified: 'true' }],
  ])('is not linked if %s', async (_, provider, changes) => {
    const email = someEmail()
    const owner = await client.signUp(email)
    const token = await tokenOf(provider(), { ...personOf(email), ...changes })
    const answer = await exchange(client, token)
    expect([answer.status, answer.body.error]).toEqual([409, 'account_exists'])
    expect(await isAlive(owner)).toBe(true)
    // The token was not used up, so the owner can link it.
    const linked = await client.sendAs(owner, 'POST', '/account/identities', {
      subject_token: token,
    })
    expect(linked.status).toBe(201)
    const again = await exchanged(client, await tokenOf(provider(), { sub: `person-${people}` }))
    expect(again.answer.body.account).toEqual(owner.answer.body.account)
  })

  test('that has proved it is linked and loses nothing', async () => {
    const email = someEmail()
    await client.signUp(email)
    await completeReset(email)
    const owner = await client.login(email)
    await client.sendAs(owner, 'POST', '/account/identities', {
      subject_token: await tokenOf(other, personOf(email)),
    })
    clock.advance(1)
    const session = await exchanged(client, await tokenOf(trusted, personOf(email.toUpperCase())))
    expect(session.answer.body.account).toEqual(owner.answer.body.account)
    expect(await isAlive(owner)).toBe(true)
    expect(await login(email)).toBe(200)
    expect(await identitiesOf(owner)).toEqual([other.issuer, trusted.issuer])
  })

  test('that never proved it loses its password, sessions and identities when it is linked', async () => {
    const email = someEmail()
    const stranger = await client.signUp(email)
    const strangers = personOf(someEmail())
    await client.sendAs(stranger, 'POST', '/account/identities', {
      subject_token: await tokenOf(other, strangers),
    })
    const token = await tokenOf(trusted, personOf(email))
    const owner = await exchanged(client, token)
    expect(owner.answer.body.account).toEqual(stranger.answer.body.account)
    expect(await isAlive(stranger)).toBe(false)
    expect(await isAlive(owner)).toBe(true)
    expect(await login(email)).toBe(401)
    expect(await identitiesOf(owner)).toEqual([trusted.issuer])
    // The previous person gets a new account.
    const later = await exchanged(client, await tokenOf(other, strangers))
    expect(later.answer.body.account.id).not.toBe(owner.answer.body.account.id)
    const lines = logLines(server, owner.answer.headers.get('x-request-id')!)
    expect(lines).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ audit: 'identity_linked' }),
        expect.objectContaining({ audit: 'session_ended', session_id: stranger.sessionId }),
      ]),
    )
  })

  test("that another issuer's token created loses that identity when it is linked", async () => {
    const email = someEmail()
    const strangers = personOf(email)
    const stranger = await exchanged(client, await tokenOf(other, strangers))
    const owner = await exchanged(client, await tokenOf(trusted, personOf(email)))
    expect(await isAlive(stranger)).toBe(false)
    const again = await exchange(client, await tokenOf(other, strangers))
    expect([again.status, again.body.error]).toEqual([409, 'account_exists'])
    expect(await isAlive(owner)).toBe(true)
  })
})

describe('the first completed reset of an account', () => {
  test('removes its identities and sessions', async () => {
    const email = someEmail()
    const strangers = personOf(email)
    const stranger = await exchanged(client, await tokenOf(other, strangers))
    await completeReset(email)
    expect(await isAlive(stranger)).toBe(false)
    const owner = await client.login(email)
    expect(await identitiesOf(owner)).toEqual([])
    const again = await exchange(client, await tokenOf(other, strangers))
    expect([again.status, again.body.error]).toEqual([409, 'account_exists'])
    // The owner can link the same identity.
    const linked = await client.sendAs(owner, 'POST', '/account/identities', {
      subject_token: await tokenOf(other, strangers),
    })
    expect(linked.status).toBe(201)
    expect(await identitiesOf(owner)).toEqual([other.issuer])
    // A later reset removes nothing of the owner's.
    await completeReset(email)
    const session = await exchanged(client, await tokenOf(other, strangers))
    expect(session.answer.body.account.id).toBe(owner.answer.body.account.id)
  })
})

describe('signing up by ID token', () => {
  test('is refused if the issuer may not create accounts, but linked accounts can sign in', async () => {
    const person = personOf(someEmail())
    expect((await exchange(client, await tokenOf(closed, person))).body).toEqual(REFUSED)
    const owner = await client.signUp()
    const subject_token = await tokenOf(closed, person)
    await client.sendAs(owner, 'POST', '/account/identities', { subject_token })
    const session = await exchanged(client, await tokenOf(closed, person))
    expect(session.answer.body.account).toEqual(owner.answer.body.account)
  })

  test('creates one account for ten concurrent tokens of one person', async () => {
    const person = personOf(someEmail())
    const tokens = await Promise.all(Array.from({ length: 10 }, () => tokenOf(other, person)))
    const sessions = await Promise.all(tokens.map((token) => exchanged(client, token)))
    const ids = sessions.map(({ answer }) => answer.body.account.id as string)
    expect(new Set(ids).size).toBe(1)
  })
})
