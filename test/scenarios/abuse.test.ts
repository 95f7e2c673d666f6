import { afterEach, describe, expect, jest, test } from '@jest/globals'
import type { Config } from '../../server/config/config.ts'
import { GOOD_PASSWORD, someEmail, TestClient, type Answer } from '../support/client.ts'
import { testConfig } from '../support/config.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

const WRONG = 'not the password'
const OFF: Config['rateLimits'] = {
  login: 'off',
  signUp: 'off',
  clients: 'off',
  refresh: 'off',
}
/** A limit that no test reaches, so that only the waits after wrong passwords apply. */
const WIDE = { ...OFF, login: { count: 1_000_000, duration: 60 } }

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

const servers: TestServer[] = []
afterEach(async () => {
  jest.useRealTimers()
  for (const server of servers.splice(0)) await server.stop()
})

/** A server behind one proxy, which sets the addresses that requests come from. */
async function setUp(
  rateLimits: Config['rateLimits'],
  { trustedProxies = 1 }: { trustedProxies?: number } = {},
) {
  const server = await startTestServer({ config: { rateLimits, trustedProxies } })
  servers.push(server)
  return { server, client: await TestClient.registered(server.url) }
}

const post = (client: TestClient, path: string, body: unknown, from?: string) =>
  client.send('POST', path, body, from === undefined ? {} : { 'x-forwarded-for': from })
const login = (client: TestClient, email: string, password = WRONG, from?: string) =>
  post(client, '/account/login', { email, password, client_id: client.id }, from)

function expectLimited(answer: Answer): number {
  expect([answer.status, answer.body]).toEqual([
    429,
    { error: 'rate_limited', error_description: expect.any(String) },
  ])
  expect(answer.headers.get('retry-after')).toMatch(/^[1-9]\d*$/)
  return Number(answer.headers.get('retry-after'))
}

type Send = (client: TestClient, from: string) => Promise<Answer>
/** One request of each limited kind, each for another account. */
const REQUESTS: [keyof Config['rateLimits'], string, Send][] = [
  ['login', 'POST /account/login', (client, from) => login(client, someEmail(), WRONG, from)],
  [
    'login',
    'POST /account/login with a bad body',
    (client, from) => post(client, '/account/login', { email: someEmail() }, from),
  ],
  [
    'login',
    'POST /account/login from an unknown client',
    (client, from) => {
      const body = { email: someEmail(), password: WRONG, client_id: 'x' }
      return post(client, '/account/login', body, from)
    },
  ],
  [
    'signUp',
    'POST /account',
    (client, from) => {
      const body = { email: someEmail(), password: 'short', client_id: client.id }
      return post(client, '/account', body, from)
    },
  ],
  ['clients', 'POST /clients', (client, from) => post(client, '/clients', {}, from)],
  [
    'clients',
    'GET /clients/:client_id/configuration',
    (client, from) =>
      client.send('GET', `/clients/${client.id}/configuration`, undefined, {
        'x-forwarded-for': from,
      }),
  ],
  ['refresh', 'POST /token', (client, from) => post(client, '/token', {}, from)],
  ['refresh', 'POST /revoke', (client, from) => post(client, '/revoke', { token: 'x' }, from)],
]

describe('for one network address', () => {
  test.each(REQUESTS)(
    'RATE_LIMIT for %s limits %s, and no other request',
    async (action, path, send) => {
      const { client } = await setUp({ ...OFF, [action]: { count: 3, duration: 3600 } })
      for (let i = 0; i < 3; i++) expect((await send(client, '192.0.2.1')).status).not.toBe(429)
      const wait = expectLimited(await send(client, '192.0.2.1'))
      expect(wait).toBeGreaterThan(3000)
      expect(wait).toBeLessThanOrEqual(3600)
      expect((await send(client, '192.0.2.2')).status).not.toBe(429)
      for (const [other, otherPath, sendOther] of REQUESTS) {
        // All logins share a count, and so do /token and /revoke.
        const isShared = action === 'refresh' || action === 'login'
        const isCountedApart = other !== action || (otherPath !== path && !isShared)
        if (isCountedApart) expect((await sendOther(client, '192.0.2.1')).status).not.toBe(429)
      }
    },
  )

  test.each(REQUESTS)('RATE_LIMIT for %s off does not limit %s', async (action, _, send) => {
    const all = { count: 1, duration: 3600 }
    const limits = { login: all, signUp: all, clients: all, refresh: all }
    const { client } = await setUp({ ...limits, [action]: 'off' })
    for (let i = 0; i < 10; i++) expect((await send(client, '192.0.2.1')).status).not.toBe(429)
  })

  test('the limit ends with its window', async () => {
    stopTime()
    const { client } = await setUp({ ...OFF, clients: { count: 1, duration: 60 } })
    const ask = () => post(client, '/clients', {}, '192.0.2.1')
    expect((await ask()).status).toBe(400)
    expectLimited(await ask())
    advance(59)
    expect(expectLimited(await ask())).toBe(1)
    advance(1)
    expect((await ask()).status).toBe(400)
  })

  test('the port is ignored', async () => {
    const { client } = await setUp({ ...OFF, clients: { count: 1, duration: 60 } })
    const ask = (from: string) => post(client, '/clients', {}, from)
    expect((await ask('192.0.2.1:1')).status).toBe(400)
    expectLimited(await ask('192.0.2.1:2'))
    expectLimited(await ask('192.0.2.1'))
    expectLimited(await ask('[::ffff:c000:201]:3'))
    expect((await ask('[2001:db8::1]:1')).status).toBe(400)
    expectLimited(await ask('[2001:db8::2]:2'))
  })

  test('invalid addresses count as one address', async () => {
    const { client } = await setUp({ ...OFF, clients: { count: 1, duration: 60 } })
    const ask = (from: string) => post(client, '/clients', {}, from)
    expect((await ask('unknown')).status).toBe(400)
    expectLimited(await ask('_another'))
  })

  test('an IPv6 /64 network counts as one address', async () => {
    const { client } = await setUp({ ...OFF, clients: { count: 1, duration: 60 } })
    const ask = (from: string) => post(client, '/clients', {}, from)
    expect((await ask('2001:db8:1:2::1')).status).toBe(400)
    expectLimited(await ask('2001:db8:1:2:ffff:ffff:ffff:ffff'))
    expect((await ask('2001:db8:1:3::1')).status).toBe(400)
  })
})

describe('the address that counts', () => {
  const limits = { ...OFF, clients: { count: 2, duration: 60 } }
  const ask = (client: TestClient, from: string) => post(client, '/clients', {}, from)

  test("is the connection's if no proxy is trusted", async () => {
    // The registration was the first request.
    const { client } = await setUp(limits, { trustedProxies: 0 })
    expect((await ask(client, '192.0.2.1')).status).toBe(400)
    expectLimited(await ask(client, '192.0.2.2'))
  })

  test('is the last one in X-Forwarded-For with one trusted proxy', async () => {
    const { client } = await setUp(limits)
    for (const spoofed of ['198.51.100.1', '198.51.100.2', '::1', 'x,y']) {
      const answer = await ask(client, `${spoofed}, 192.0.2.1`)
      if (spoofed === '198.51.100.1' || spoofed === '198.51.100.2') expect(answer.status).toBe(400)
      else expectLimited(answer)
    }
    expect((await ask(client, '192.0.2.1, 192.0.2.9')).status).toBe(400)
  })

  test('is the last but one with two trusted proxies', async () => {
    const { client } = await setUp(limits, { trustedProxies: 2 })
    expect((await ask(client, '1.1.1.1, 192.0.2.1, 10.0.0.1')).status).toBe(400)
    expect((await ask(client, '2.2.2.2, 192.0.2.1, 10.0.0.2')).status).toBe(400)
    expectLimited(await ask(client, '3.3.3.3, 192.0.2.1, 10.0.0.3'))
    expect((await ask(client, '192.0.2.1, 192.0.2.2, 10.0.0.1')).status).toBe(400)
  })
})

describe('for one account', () => {
  const two = { count: 2, duration: 60 }
  let count = 0
  /** A new address each time. */
  const anywhere = () => `192.0.2.${++count}`

  test('refreshes are limited by session', async () => {
    const { client } = await setUp({ ...OFF, refresh: two })
    const session = await client.signUp()
    const refresh = async (jws: string) =>
      post(
        client,
        '/token',
        { grant_type: 'refresh_token', refresh_token: await client.seal(jws) },
        anywhere(),
      )
    for (let i = 0; i < 2; i++) expect((await refresh(session.refreshJws)).status).toBe(200)
    expectLimited(await refresh(session.refreshJws))
    const other = await client.login(session.answer.body.account.email)
    expect((await refresh(other.refreshJws)).status).toBe(200)
  })

  test('logins are limited by known client, and strangers at its address do not count', async () => {
    const { client } = await setUp({ ...OFF, login: two })
    const email = someEmail()
    await client.signUp(email)
    const stranger = await TestClient.registered(client.url)
    const from = anywhere()
    for (let i = 0; i < 2; i++) await login(stranger, someEmail(), WRONG, from)
    expectLimited(await login(stranger, email, GOOD_PASSWORD, from))
    for (let i = 0; i < 2; i++) {
      expect((await login(client, email, GOOD_PASSWORD, from)).status).toBe(200)
    }
    expectLimited(await login(client, email, GOOD_PASSWORD, anywhere()))
    expect((await login(stranger, email, GOOD_PASSWORD, anywhere())).status).toBe(200)
  })
})

describe('strangers cannot shut out', () => {
  const LIMITS = testConfig().rateLimits

  test('a person who signs up, by failed sign-ups from other addresses', async () => {
    const { client } = await setUp({ ...OFF, signUp: { count: 3, duration: 3600 } })
    const email = someEmail()
    const signUp = (password: string, from: string) =>
      post(client, '/account', { email, password, client_id: client.id }, from)
    for (let i = 0; i < 9; i++) {
      for (let n = 0; n < 3; n++) await signUp('short', `198.51.100.${i}`)
    }
    expect((await signUp(GOOD_PASSWORD, '192.0.2.1')).status).toBe(201)
  })

  test('a person on a new device, by guesses from one other address', async () => {
    const { client } = await setUp(LIMITS)
    const email = someEmail()
    await client.signUp(email)
    const stranger = await TestClient.registered(client.url)
    const answers = await Promise.all(
      Array.from({ length: 70 }, () => login(stranger, email, WRONG, '198.51.100.1')),
    )
    expect(answers.filter(({ status }) => status === 429).length).toBe(65)
    const device = await TestClient.registered(client.url)
    expect((await login(device, email, GOOD_PASSWORD, '192.0.2.1')).status).toBe(200)
  })

  test('a person on a new device, by guesses from seventy other addresses', async () => {
    const { client } = await setUp(LIMITS)
    const email = someEmail()
    await client.signUp(email)
    const stranger = await TestClient.registered(client.url)
    for (let i = 0; i < 70; i++) {
      expect((await login(stranger, email, WRONG, `198.51.100.${i}`)).status).toBe(401)
    }
    const device = await TestClient.registered(client.url)
    expect((await login(device, email, GOOD_PASSWORD, '192.0.2.1')).status).toBe(200)
  })

  test('a known client, by 170 guesses from everywhere, its own address included', async () => {
    const { client } = await setUp(LIMITS)
    const email = someEmail()
    await client.signUp(email)
    const stranger = await TestClient.registered(client.url)
    // Ten at a time: a guess that finds the hash queue full does not count as a failure.
    for (let sent = 0; sent < 170; sent += 10) {
      await Promise.all(
        Array.from({ length: 10 }, (_, n) => {
          const i = sent + n
          const from = i < 65 ? '192.0.2.1' : `2001:db8:0:${i.toString(16)}::1`
          return login(stranger, email, WRONG, from)
        }),
      )
    }
    expectLimited(await login(stranger, email, GOOD_PASSWORD, '198.51.100.1'))
    expect((await login(client, email, GOOD_PASSWORD, '192.0.2.1')).status).toBe(200)
  })

  test('a person who renews tokens, by bad requests from the same address', async () => {
    const { client } = await setUp({ ...OFF, refresh: { count: 3, duration: 60 } })
    const from = '192.0.2.1'
    const [session, other] = [await client.signUp(), await client.signUp()]
    const { refreshJws } = await client.signUp()
    const body = async (jws: string) => ({
      grant_type: 'refresh_token',
      refresh_token: await client.seal(jws),
    })
    const revoke = async (jws: string) =>
      post(client, '/revoke', { token: await client.seal(jws) }, from)
    // Valid tokens do not count for the address.
    for (let i = 0; i < 3; i++) {
      expect((await post(client, '/token', await body(refreshJws), from)).status).toBe(200)
    }
    expect((await revoke(refreshJws)).status).toBe(200)

    expect((await post(client, '/token', { grant_type: 'x' }, from)).status).toBe(400)
    expect((await post(client, '/revoke', { token: 'x' }, from)).status).toBe(200)
    // A token of an ended session.
    expect((await post(client, '/token', await body(refreshJws), from)).status).toBe(400)
    expectLimited(await post(client, '/token', { grant_type: 'x' }, from))
    expectLimited(await post(client, '/token', await body('x'), from))
    expectLimited(await revoke(refreshJws))

    expect((await post(client, '/token', await body(session.refreshJws), from)).status).toBe(200)
    expect((await revoke(other.accessJws)).status).toBe(200)
    expect((await client.sendAs(other, 'GET', '/account')).status).toBe(401)
  })

  test('a known client, by sign-ins with names that look like its key', async () => {
    const { client } = await setUp({ ...OFF, login: { count: 2, duration: 60 } })
    const email = someEmail()
    const session = await client.signUp(email)
    const stranger = await TestClient.registered(client.url)
    for (const [i, name] of [
      `${client.id} ${email}`,
      `account:${client.id} ${email}`,
      JSON.stringify([email, { knownClient: client.id }]),
    ].entries()) {
      for (let n = 0; n < 3; n++) await login(stranger, name, WRONG, `192.0.2.${i}`)
    }
    expect((await login(client, email, GOOD_PASSWORD, '192.0.2.1')).status).toBe(200)
    const confirmed = await client.sendAs(session, 'DELETE', '/account', { password: WRONG })
    expect(confirmed.body.error).toBe('invalid_grant')
  })
})

describe('after repeated wrong passwords', () => {
  /** The owner, signed in on their own client, and a stranger with another. */
  async function scene() {
    const { server, client } = await setUp(WIDE)
    const advance = (seconds: number) => {
      server.clock.advance(seconds)
    }
    const email = someEmail()
    const session = await client.signUp(email)
    const stranger = await TestClient.registered(server.url)
    return { server, client, email, session, stranger, advance }
  }
  async function lock(client: TestClient, email: string, from?: string) {
    for (let i = 0; i < 5; i++) {
      const answer = await login(client, email, WRONG, from)
      expect([answer.status, answer.body.error]).toEqual([401, 'invalid_grant'])
    }
    expectLimited(await login(client, email, WRONG, from))
  }

  test('five tries are free, then the wait doubles up to 15 minutes', async () => {
    const { stranger, email, advance } = await scene()
    for (let i = 0; i < 5; i++) expect((await login(stranger, email)).status).toBe(401)
    const waits = []
    for (let i = 0; i < 12; i++) {
      const wait = expectLimited(await login(stranger, email))
      waits.push(wait)
      advance(wait)
      expect((await login(stranger, email)).status).toBe(401)
    }
    expect(waits).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900])
  })

  test('the right password is refused while locked, and clears the count afterwards', async () => {
    const { stranger, email, advance } = await scene()
    await lock(stranger, email)
    expectLimited(await login(stranger, email, GOOD_PASSWORD))
    advance(1)
    expect((await login(stranger, email, GOOD_PASSWORD)).status).toBe(200)
    await lock(stranger, email)
  })

  test('a right password clears the count', async () => {
    const { stranger, email } = await scene()
    for (let i = 0; i < 4; i++) expect((await login(stranger, email)).status).toBe(401)
    await stranger.login(email)
    for (let i = 0; i < 4; i++) expect((await login(stranger, email)).status).toBe(401)
    await stranger.login(email)
  })

  test('an unknown address is locked like a known one, with the same answers', async () => {
    const { stranger, email } = await scene()
    const tryEight = async (address: string) => {
      const answers: [number, unknown, string[]][] = []
      for (let i = 0; i < 8; i++) {
        const { status, body, headers } = await login(stranger, address)
        answers.push([status, body, [...headers.keys()]])
      }
      return answers
    }
    const known = await tryEight(email)
    expect(known.map(([status]) => status)).toEqual([401, 401, 401, 401, 401, 429, 429, 429])
    expect(await tryEight(someEmail())).toEqual(known)
  })

  test('another address and another account are not locked', async () => {
    const { stranger, email, server } = await scene()
    const other = someEmail()
    await stranger.signUp(other)
    await lock(stranger, email, '192.0.2.1')
    expectLimited(await login(stranger, email, GOOD_PASSWORD, '192.0.2.1'))
    const third = await TestClient.registered(server.url)
    expect((await login(third, other, GOOD_PASSWORD, '192.0.2.1')).status).toBe(200)
    // Another client at the same address is locked too.
    expectLimited(await login(third, email, GOOD_PASSWORD, '192.0.2.1'))
    expect((await login(third, email, GOOD_PASSWORD, '192.0.2.2')).status).toBe(200)
  })

  test('an IPv6 /64 network is locked as a whole', async () => {
    const { stranger, email } = await scene()
    await lock(stranger, email, '2001:db8:1:2::1')
    expectLimited(await login(stranger, email, GOOD_PASSWORD, '2001:db8:1:2::2'))
    expect((await login(stranger, email, GOOD_PASSWORD, '2001:db8:1:3::1')).status).toBe(200)
  })

  test('the case of the e-mail address makes no difference', async () => {
    const { stranger, email } = await scene()
    for (let i = 0; i < 5; i++) {
      const spelled = i % 2 === 0 ? email : email.toUpperCase()
      expect((await login(stranger, spelled)).status).toBe(401)
    }
    expectLimited(await login(stranger, email))
  })

  test('strangers at the same address do not lock out a client that the account knows', async () => {
    const { client, stranger, email } = await scene()
    await lock(stranger, email, '192.0.2.1')
    expect((await login(client, email, GOOD_PASSWORD, '192.0.2.1')).status).toBe(200)
    // The owner's success does not unlock the strangers.
    expectLimited(await login(stranger, email, GOOD_PASSWORD, '192.0.2.1'))
  })

  test('a known client has its own count, from whatever address', async () => {
    const { client, stranger, email } = await scene()
    for (let i = 0; i < 5; i++) {
      expect((await login(client, email, WRONG, `192.0.2.${i}`)).status).toBe(401)
    }
    expectLimited(await login(client, email, GOOD_PASSWORD, '192.0.2.99'))
    expect((await login(stranger, email, GOOD_PASSWORD, '192.0.2.1')).status).toBe(200)
  })

  test('a client stays known for 90 days after its last sign-in, even signed out', async () => {
    const { server, client, session, email, advance } = await scene()
    await client.sendAs(session, 'POST', '/account/logout')
    advance(90 * 86_400 - 1)
    const stranger = await TestClient.registered(server.url)
    await lock(stranger, email, '192.0.2.1')
    expect((await login(client, email, WRONG, '192.0.2.1')).status).toBe(401)
    // It is unknown now, and counts with the strangers at this address.
    advance(1)
    expect((await login(client, email, WRONG, '192.0.2.1')).status).toBe(401)
    expect(expectLimited(await login(client, email, GOOD_PASSWORD, '192.0.2.1'))).toBe(2)
  })

  test('a hundred failures from unknown clients leave them one try every 15 minutes', async () => {
    const { client, stranger, email, advance } = await scene()
    const guess = (index: number, password = WRONG, address = email) =>
      login(stranger, address, password, `2001:db8:0:${index.toString(16)}::1`)
    const unknown = someEmail()
    for (let i = 0; i < 100; i++) {
      expect((await guess(i)).status).toBe(401)
      expect((await guess(i, WRONG, unknown)).status).toBe(401)
    }
    // The same holds for an address without an account.
    expect(expectLimited(await guess(100, GOOD_PASSWORD, unknown))).toBe(900)
    expect(expectLimited(await guess(100, GOOD_PASSWORD))).toBe(900)
    advance(900)
    expect((await guess(101)).status).toBe(401)
    expect(expectLimited(await guess(102, GOOD_PASSWORD))).toBe(900)
    // The owner's known client is not affected.
    expect((await login(client, email, GOOD_PASSWORD)).status).toBe(200)
    expect((await guess(103, GOOD_PASSWORD)).status).toBe(200)
  })

  test('fifty concurrent tries count like fifty in sequence', async () => {
    const { stranger, email } = await scene()
    const answers = await Promise.all(Array.from({ length: 50 }, () => login(stranger, email)))
    const statuses = answers.map(({ status }) => status)
    expect(statuses.filter((status) => status === 401)).toHaveLength(5)
    expect(statuses.filter((status) => status === 429)).toHaveLength(45)
    expectLimited(await login(stranger, email, GOOD_PASSWORD))
  })

  test('there is no lock if logins are not limited', async () => {
    const { client } = await setUp(OFF)
    const stranger = await TestClient.registered(client.url)
    const email = someEmail()
    await client.signUp(email)
    for (let i = 0; i < 10; i++) expect((await login(stranger, email)).status).toBe(401)
    await stranger.login(email)
  })

  describe.each<[string, string, (password: string) => object]>([
    ['DELETE', '/account', (password) => ({ password })],
    [
      'PUT',
      '/account/password',
      (current_password) => ({ current_password, new_password: 'another brick in the wall' }),
    ],
  ])('confirming %s %s', (method, path, bodyOf) => {
    test("locks the session's client and no other", async () => {
      const { client, session, stranger: laptop, email } = await scene()
      const sessions = [session, await client.login(email)]
      const other = await laptop.login(email)
      const confirm = (who: typeof session, password: string) =>
        client.sendAs(who, method, path, bodyOf(password))
      for (let i = 0; i < 5; i++) {
        const answer = await confirm(sessions[i % 2]!, WRONG)
        expect([answer.status, answer.body.error]).toEqual([400, 'invalid_grant'])
      }
      for (const who of sessions) expectLimited(await confirm(who, GOOD_PASSWORD))
      expectLimited(await login(client, email, GOOD_PASSWORD))
      expect((await client.sendAs(session, 'GET', '/account')).status).toBe(200)
      expect((await laptop.sendAs(other, method, path, bodyOf(GOOD_PASSWORD))).status).toBeLessThan(
        300,
      )
    })

    test('counts for RATE_LIMIT_LOGIN', async () => {
      const { client } = await setUp({ ...OFF, login: { count: 2, duration: 60 } })
      const session = await client.signUp()
      for (let i = 0; i < 2; i++) {
        const answer = await client.sendAs(session, method, path, bodyOf(WRONG))
        expect(answer.body.error).toBe('invalid_grant')
      }
      expectLimited(await client.sendAs(session, method, path, bodyOf(GOOD_PASSWORD)))
    })
  })

  test('both confirmations share one count, which the right password clears', async () => {
    const { client, session } = await scene()
    let own: { readonly accessJws: string } = session
    const remove = (password: string) => client.sendAs(own, 'DELETE', '/account', { password })
    const change = (current_password: string) =>
      client.sendAs(own, 'PUT', '/account/password', {
        current_password,
        new_password: GOOD_PASSWORD,
      })
    for (let i = 0; i < 4; i++) expect((await remove(WRONG)).status).toBe(400)
    const changed = await change(GOOD_PASSWORD)
    expect(changed.status).toBe(200)
    own = { accessJws: await client.open(changed.body.access_token) }
    for (let i = 0; i < 3; i++) expect((await remove(WRONG)).status).toBe(400)
    for (let i = 0; i < 2; i++) expect((await change(WRONG)).status).toBe(400)
    expectLimited(await remove(GOOD_PASSWORD))
  })
})
