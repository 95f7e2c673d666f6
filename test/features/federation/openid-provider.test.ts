import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals'
import { decodeProtectedHeader } from 'jose'
import { clientOf } from '../../support/auth-client.ts'
import { createClock, type TestClock } from '../../support/clock.ts'
import { TestClient } from '../../support/client.ts'
import type { TestServer } from '../../support/server.ts'
import { OpenIdProvider } from './openid-provider.ts'
import { AUDIENCE, exchange, exchanged, makeKey, REFUSED, startFederated } from './provider.ts'

const DAY = 86_400
/** How long keys are kept if the provider does not say, in seconds. */
const MAX_AGE = 300
const METADATA = '/.well-known/openid-configuration'

const [first, second] = [makeKey('RS256'), makeKey('ES256')]
let provider: OpenIdProvider
let clock: TestClock
let server: TestServer
let client: TestClient
beforeAll(async () => {
  provider = await OpenIdProvider.start(first)
})
afterAll(() => provider.stop())
beforeEach(async () => {
  provider.rotateTo(first)
  provider.asked.length = 0
  // A minute ahead of the provider's clock, which is the real one: no token comes from the future.
  clock = createClock(Date.now() + 60_000)
  ;({ server, client } = await startFederated(clock, [
    {
      issuer: provider.issuer,
      audiences: [AUDIENCE],
      discovery: true,
      algorithms: ['RS256', 'ES256'],
      sign_up: true,
    },
  ]))
})
afterEach(() => server.stop())

let people = 0
const someone = () => `person-${++people}`
const idToken = (login = someone()) => provider.signIn({ login, nonce: client.id })
const statusOf = async (token: string) => (await exchange(client, token)).status

test('an ID token gives a session once, and only to the client that asked for it', async () => {
  const login = someone()
  const token = await idToken(login)
  const thief = await TestClient.registered(server.url)
  expect((await exchange(thief, token)).body).toEqual(REFUSED)

  const session = await exchanged(client, token)
  expect(session.answer.body.account).toMatchObject({ email: `${login}@example.test`, name: 'Ada' })
  expect((await client.sendAs(session, 'GET', '/account')).status).toBe(200)
  expect((await exchange(client, token)).body).toEqual(REFUSED)
  expect(provider.asked).toEqual([METADATA, '/jwks'])

  const again = await exchanged(client, await idToken(login))
  expect(again.answer.body.account).toEqual(session.answer.body.account)
})

test('the client library signs in with an ID token and removes the account with another', async () => {
  const { client } = clientOf(server)
  const [login, nonce] = [someone(), await client.nonce()]
  const session = await client.signInWith({
    subjectToken: await provider.signIn({ login, nonce }),
  })
  expect(session.account?.email).toBe(`${login}@example.test`)
  await client.account.remove({ subjectToken: await provider.signIn({ login, nonce }) })
  expect(client.session).toBeUndefined()
})

test('after a rotation the new key is fetched once, and the old one is refused', async () => {
  const [known, late] = [await idToken(), await idToken()]
  expect(await statusOf(known)).toBe(200)
  provider.rotateTo(second)
  const fresh = await Promise.all([idToken(), idToken(), idToken()])
  expect(decodeProtectedHeader(fresh[0])).toMatchObject({ kid: second.kid, alg: 'ES256' })
  expect(provider.asked).toHaveLength(2)
  expect(await Promise.all(fresh.map(statusOf))).toEqual([200, 200, 200])
  expect(provider.asked).toEqual([METADATA, '/jwks', METADATA, '/jwks'])
  expect((await exchange(client, late)).body).toEqual(REFUSED)
  expect(provider.asked).toHaveLength(4)
})

test('a withdrawn key is trusted until its max-age has passed', async () => {
  const tokens = [await idToken(), await idToken(), await idToken()]
  expect(await statusOf(tokens[0]!)).toBe(200)
  provider.rotateTo(second)
  clock.advance(MAX_AGE - 1)
  expect(await statusOf(tokens[1]!)).toBe(200)
  expect(provider.asked).toHaveLength(2)
  clock.advance(1)
  expect((await exchange(client, tokens[2]!)).body).toEqual(REFUSED)
  expect(await statusOf(await idToken())).toBe(200)
  expect(provider.asked).toHaveLength(4)
})

test('keys are used for a day while the provider is away, then the answer is 503 until it is back', async () => {
  const [before, held, ...tokens] = await Promise.all(Array.from({ length: 6 }, () => idToken()))
  expect(await statusOf(before!)).toBe(200)
  await provider.stop()
  try {
    clock.advance(DAY - 1)
    expect(await statusOf(held!)).toBe(200)
    clock.advance(5)
    for (let i = 0; i < 3; i++) {
      const answers = await Promise.all(tokens.map((token) => exchange(client, token)))
      expect(answers.map(({ status }) => status)).toEqual([503, 503, 503, 503])
      expect(answers[0]!.headers.get('retry-after')).toBe('5')
    }
    const failures = server.logs.filter((line) => line.includes('cannot be fetched'))
    expect(failures).toHaveLength(2)
  } finally {
    await provider.listen()
  }
  expect(await statusOf(tokens[0]!)).toBe(503)
  expect(provider.asked).toHaveLength(2)
  clock.advance(5)
  expect(await Promise.all(tokens.map(statusOf))).toEqual([200, 200, 200, 200])
  expect(provider.asked).toHaveLength(4)
})
