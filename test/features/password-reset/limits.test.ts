/** Rate limits of the reset, and its effect on the waits after wrong passwords. */
import { afterEach, expect, jest, test } from '@jest/globals'
import { GOOD_PASSWORD, someEmail, TestClient, type Answer } from '../../support/client.ts'
import { resetTokenFor, startResetServer, UNLIMITED, type ResetServer } from './reset-server.ts'

const WRONG = 'not the password'

/** Stops the clock of the limits. Requests do not need it: Node's own timers are not faked. */
function stopTime() {
  jest.useFakeTimers({
    doNotFake: [
      ...(['hrtime', 'nextTick', 'performance', 'queueMicrotask', 'setImmediate'] as const),
      ...(['clearImmediate', 'setInterval', 'clearInterval'] as const),
    ],
  })
}
function advance(seconds: number) {
  jest.advanceTimersByTime(seconds * 1000)
}

const servers: ResetServer[] = []
afterEach(async () => {
  jest.useRealTimers()
  for (const server of servers.splice(0)) await server.stop()
})

/** A server behind one proxy, which sets the addresses that requests come from. */
async function setUp(reset: string, rateLimits: ResetServer['config']['rateLimits'] = UNLIMITED) {
  const config = { rateLimits, trustedProxies: 1 }
  const server = await startResetServer({ config, variables: { RATE_LIMIT_RESET: reset } })
  servers.push(server)
  return { server, client: await TestClient.registered(server.url) }
}

const ask = (client: TestClient, from: string, email = someEmail()) =>
  client.send('POST', '/account/password-reset', { email }, { 'x-forwarded-for': from })
const complete = (client: TestClient, from: string) => {
  const body = { token: 'x', new_password: GOOD_PASSWORD }
  return client.send('PUT', '/account/password-reset', body, { 'x-forwarded-for': from })
}

function expectLimited(answer: Answer): number {
  expect([answer.status, answer.body]).toEqual([
    429,
    { error: 'rate_limited', error_description: expect.any(String) },
  ])
  return Number(answer.headers.get('retry-after'))
}

test.each([
  ['requesting a reset', ask, complete],
  ['completing a reset', complete, ask],
])('%s is limited for each network address, apart from other requests', async (_, send, other) => {
  const { client } = await setUp('3/1h')
  for (let i = 0; i < 3; i++) expect((await send(client, '192.0.2.1')).status).not.toBe(429)
  const wait = expectLimited(await send(client, '192.0.2.1'))
  expect(wait).toBeGreaterThan(3000)
  expect(wait).toBeLessThanOrEqual(3600)
  expect((await send(client, '192.0.2.2')).status).not.toBe(429)
  expect((await other(client, '192.0.2.1')).status).not.toBe(429)
  expect((await client.send('POST', '/clients', {})).status).toBe(400)
})

test.each([
  ['requesting a reset', ask],
  ['completing a reset', complete],
])('%s is not limited if RATE_LIMIT_RESET is off, whatever the other limits', async (_, send) => {
  const one = { count: 1, duration: 3600 }
  const all = { login: one, signUp: one, clients: one, refresh: one }
  const { client } = await setUp('off', all)
  for (let i = 0; i < 10; i++) expect((await send(client, '192.0.2.1')).status).not.toBe(429)
})

test('requests for one account are limited too, for each network address, known or not', async () => {
  stopTime()
  const { client } = await setUp('2/60s')
  const known = someEmail()
  await client.signUp(known)
  for (const [i, email] of [known, someEmail()].entries()) {
    const [from, elsewhere] = [`192.0.2.${100 + i}`, `192.0.2.${200 + i}`]
    expect((await ask(client, from)).status).toBe(202)
    advance(40)
    expect((await ask(client, from, email)).status).toBe(202)
    advance(20)
    // The address could ask twice again, but for this account only once in this minute.
    expect((await ask(client, from, email.toUpperCase())).status).toBe(202)
    expectLimited(await ask(client, from, email))
    // The owner can still ask from another address.
    for (let n = 0; n < 2; n++) expect((await ask(client, elsewhere, email)).status).toBe(202)
    expectLimited(await ask(client, elsewhere, email))
  }
})

test('a completed reset lets strangers try passwords again', async () => {
  const { server, client } = await setUp('off', {
    ...UNLIMITED,
    login: { count: 1_000_000, duration: 60 },
  })
  const email = someEmail()
  await client.signUp(email)
  const stranger = await TestClient.registered(server.url)
  const guess = (index: number, password = WRONG) =>
    stranger.send(
      ...(['POST', '/account/login', { email, password, client_id: stranger.id }] as const),
      { 'x-forwarded-for': `2001:db8:0:${index.toString(16)}::1` },
    )
  for (let i = 0; i < 100; i++) await guess(i)
  expectLimited(await guess(100))
  const token = await resetTokenFor(server, stranger, email)
  const reset = (new_password: string) =>
    stranger.send('PUT', '/account/password-reset', { token, new_password })
  expect((await reset('short')).status).toBe(400)
  expectLimited(await guess(100))
  expect((await reset('another brick in the wall')).status).toBe(204)
  expect((await guess(101, 'another brick in the wall')).status).toBe(200)
})
