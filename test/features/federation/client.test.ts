import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { createClock } from '../../support/clock.ts'
import { clientOf, codeOf } from '../../support/auth-client.ts'
import { GOOD_PASSWORD, someEmail } from '../../support/client.ts'
import type { TestServer } from '../../support/server.ts'
import { Provider, startFederated } from './provider.ts'

const clock = createClock()
let server: TestServer
let provider: Provider
beforeAll(async () => {
  provider = await Provider.start(clock)
  ;({ server } = await startFederated(clock, [provider.entry()]))
})
afterAll(() => Promise.all([server.stop(), provider.stop()]))

let people = 0
const someone = () => ({ sub: `person-${++people}`, email: someEmail() })

describe('the client library', () => {
  test('tells its nonce, signs in with an ID token, and removes the account with another', async () => {
    const { client, wire } = clientOf(server)
    const person = someone()
    const nonce = await client.nonce()
    const session = await client.signInWith({ subjectToken: await provider.idToken(nonce, person) })
    expect(session.account?.email).toBe(person.email)
    expect(client.session).toEqual(session)
    expect((await client.fetch('/account/identities')).status).toBe(200)
    await (await client.vault()).set('draft', { text: 'Dear Ada' })
    await client.refresh()
    await client.account.remove({ subjectToken: await provider.idToken(nonce, person) })
    expect(client.session).toBeUndefined()
    expect(wire.count('DELETE /account')).toBe(1)
  })

  test('has its client_id as its nonce, each time', async () => {
    const { client } = clientOf(server)
    expect(await client.nonce()).toBe(await client.nonce())
    expect(await client.nonce()).toBe((await client.register()).id)
  })

  test('passes refusals on, and nobody is signed in', async () => {
    const { client } = clientOf(server)
    const stolen = await provider.idToken('another-client', someone())
    expect(await codeOf(client.signInWith({ subjectToken: stolen }))).toBe('invalid_request')
    const email = someEmail()
    await client.signUp({ email, password: GOOD_PASSWORD })
    await client.signOut()
    const token = await provider.idToken(await client.nonce(), { ...someone(), email })
    expect(await codeOf(client.signInWith({ subjectToken: token }))).toBe('account_exists')
    expect(client.session).toBeUndefined()
    // The token was not used up, so it can be linked.
    await client.signIn({ email, password: GOOD_PASSWORD })
    const link = { method: 'POST', body: JSON.stringify({ subject_token: token }) }
    const headers = { 'content-type': 'application/json' }
    expect((await client.fetch('/account/identities', { ...link, headers })).status).toBe(201)
  })
})
