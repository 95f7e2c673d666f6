/** When tokens are renewed, how often, and what happens when they cannot be. */
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { memoryStore, type AuthClient, type ClientStore } from '../../client/index.ts'
import {
  clientOf,
  codeOf,
  errorOf,
  jsonResponse,
  refusedToken,
  signedUp,
  startServer,
  storedSession,
  type Party,
} from '../support/auth-client.ts'
import { GOOD_PASSWORD, someEmail } from '../support/client.ts'
import { sessionIdsOf } from '../support/database.ts'
import type { TestServer } from '../support/server.ts'
import { fakeTimeouts, hurry } from '../support/timers.ts'

const NEW_PASSWORD = 'another brick in the wall'

const TOKEN = 'POST /token'
const lost = () => Promise.reject(new TypeError('fetch failed'))

let server: TestServer
beforeAll(async () => {
  server = await startServer()
})
afterAll(() => server.stop())

const expire = () => {
  server.clock.advance(server.config.accessTokenTtl)
}
const status = async ({ client }: Pick<Party, 'client'>, path = '/account') =>
  (await client.fetch(path)).status

/** Two clients that share a store, as two tabs of a browser do. */
async function twoTabs() {
  const first = await signedUp(server)
  const second = clientOf(server, { store: first.store })
  await second.client.resume()
  return { first, second, store: first.store, email: first.email }
}

describe('an access token', () => {
  test('is renewed once when it has expired, before the request is sent', async () => {
    const party = await signedUp(server)
    const { client, wire, store } = party
    const before = await storedSession(store)
    expire()
    expect(await codeOf(client.accessToken())).toBe('token_expired')
    expect(await status(party)).toBe(200)
    expect(await status(party)).toBe(200)
    expect([wire.count(TOKEN), wire.count('GET /account')]).toEqual([1, 2])
    const after = await storedSession(store)
    expect(after?.['session_id']).toBe(before?.['session_id'])
    expect(after?.['refresh_token']).not.toBe(before?.['refresh_token'])
    expect(client.session?.account?.email).toBe(party.email)
  })

  test('is renewed when it might expire on its way, and not earlier', async () => {
    const party = await signedUp(server)
    server.clock.advance(server.config.accessTokenTtl - 11)
    await status(party)
    expect(party.wire.count(TOKEN)).toBe(0)
    server.clock.advance(2)
    await status(party)
    expect(party.wire.count(TOKEN)).toBe(1)
  })

  test('with a lifetime of seconds is used for most of it', async () => {
    const brief = await startServer({ accessTokenTtl: 5 })
    try {
      const party = await signedUp(brief)
      brief.clock.advance(4)
      expect(await status(party)).toBe(200)
      expect(party.wire.count(TOKEN)).toBe(0)
      brief.clock.advance(1)
      expect(await status(party)).toBe(200)
      expect(party.wire.count(TOKEN)).toBe(1)
    } finally {
      await brief.stop()
    }
  })

  test('that expires on its way is renewed, and the request is sent again with its body', async () => {
    const brief = await startServer({ accessTokenTtl: 60 })
    try {
      const { client, wire } = await signedUp(brief)
      wire.on('PATCH /account', (request, send) => {
        wire.on('PATCH /account', undefined)
        brief.clock.advance(60)
        return send(request)
      })
      expect((await client.account.rename('Late')).name).toBe('Late')
      expect([wire.count(TOKEN), wire.count('PATCH /account')]).toEqual([1, 2])
      // An expired token does not mean that the server has new keys.
      expect(wire.count('GET /.well-known/jwks.json')).toBe(1)
    } finally {
      await brief.stop()
    }
  })

  test('that is refused after a renewal too returns the 401, without a loop', async () => {
    const party = await signedUp(server)
    party.wire.on('GET /account', () => Promise.resolve(refusedToken()))
    expect(await status(party)).toBe(401)
    expect([party.wire.count(TOKEN), party.wire.count('GET /account')]).toEqual([1, 2])
    expect(party.client.session).toBeDefined()
  })

  test('is renewed once for twenty concurrent requests', async () => {
    const party = await signedUp(server)
    expire()
    const all = Array.from({ length: 20 }, () => status(party))
    expect(new Set(await Promise.all(all))).toEqual(new Set([200]))
    expect(party.wire.count(TOKEN)).toBe(1)
  })

  test('is renewed once for twenty concurrent 401 answers', async () => {
    const party = await signedUp(server)
    let arrived = 0
    let release: () => void = () => undefined
    const together = new Promise<void>((resolve) => (release = resolve))
    party.wire.on('GET /account', async (request, send) => {
      if (++arrived > 20) return send(request)
      if (arrived === 20) {
        expire()
        release()
      }
      await together
      return send(request)
    })
    const all = Array.from({ length: 20 }, () => status(party))
    expect(new Set(await Promise.all(all))).toEqual(new Set([200]))
    expect(party.wire.count(TOKEN)).toBe(1)
  })
})

test.each<[string, Record<string, string>]>([
  ['no challenge', {}],
  ['a challenge without an error', { 'www-authenticate': 'Bearer realm="x"' }],
  ['a challenge with another error', { 'www-authenticate': 'Bearer error="insufficient_scope"' }],
])('a 401 with %s does not renew', async (_name, headers) => {
  const party = await signedUp(server)
  party.wire.on('GET /account', () => Promise.resolve(jsonResponse({}, 401, headers)))
  expect(await status(party)).toBe(401)
  expect([party.wire.count('GET /account'), party.wire.count(TOKEN)]).toEqual([1, 0])
})

describe('the answer to a renewal', () => {
  test('that is lost is requested again', async () => {
    const party = await signedUp(server)
    party.wire.on(TOKEN, async (request, send) => {
      party.wire.on(TOKEN, undefined)
      expect((await send(request)).status).toBe(200)
      return lost()
    })
    expire()
    expect(await status(party)).toBe(200)
    expect(party.wire.count(TOKEN)).toBe(2)
    expect(await status(party)).toBe(200)
  })

  test('that breaks off or comes from a proxy is requested again', async () => {
    const party = await signedUp(server)
    const answers = [
      () =>
        new Response(
          new ReadableStream({
            start: (body) => {
              body.error(new Error('broken'))
            },
          }),
        ),
      () => new Response('<h1>Bad Gateway</h1>', { status: 502 }),
    ]
    party.wire.on(TOKEN, async (request, send) => {
      const response = await send(request)
      return answers.pop()?.() ?? response
    })
    expire()
    expect(await status(party)).toBe(200)
    expect(party.wire.count(TOKEN)).toBe(3)
  })

  test('with status 400 ends the session and removes its data', async () => {
    const { client, wire, store } = await signedUp(server)
    await (await client.vault()).set('secret', 1)
    const sessionId = client.session!.sessionId
    let changes = 0
    client.onChange(() => changes++)
    const refusal = { error: 'invalid_grant', error_description: 'No.' }
    wire.on(TOKEN, () => Promise.resolve(jsonResponse(refusal, 400)))
    expire()
    const error = await errorOf(client.fetch('/account'))
    expect(error.code).toBe('session_ended')
    expect(error.cause).toMatchObject({ code: 'invalid_grant', status: 400 })
    expect(client.session).toBeUndefined()
    expect(changes).toBe(1)
    expect(await storedSession(store)).toBeUndefined()
    expect(await store.vault(sessionId).ids()).toEqual([])
    expect(wire.count('GET /account')).toBe(0)
  })

  test.each([
    ['429', 429, 'rate_limited', { 'retry-after': '7', 'x-request-id': 'r-1' }],
    ['503', 503, 'temporarily_unavailable', { 'retry-after': 'later' }],
  ] as const)('with status %s keeps the session', async (_name, code, error, headers) => {
    const party = await signedUp(server)
    party.wire.on(TOKEN, () =>
      Promise.resolve(jsonResponse({ error, error_description: 'Later.' }, code, headers)),
    )
    expire()
    expect(await errorOf(party.client.fetch('/account'))).toMatchObject({
      code: error,
      status: code,
      message: 'Later.',
      retryAfter: code === 429 ? 7 : undefined,
      requestId: code === 429 ? 'r-1' : undefined,
    })
    expect(await storedSession(party.store)).toBeDefined()
    party.wire.on(TOKEN, undefined)
    expect(await status(party)).toBe(200)
  })

  test('that never comes keeps the session', async () => {
    const party = await signedUp(server)
    expire()
    party.wire.isDown = true
    fakeTimeouts()
    try {
      const code = codeOf(party.client.fetch('/account'))
      await hurry(code)
      expect(await code).toBe('network')
      expect(party.client.session).toBeDefined()
      expect(await storedSession(party.store)).toBeDefined()
      const other = clientOf(server, { ...party, fetch: party.wire.fetch }).client
      const resumed = codeOf(other.resume())
      await hurry(resumed)
      expect(await resumed).toBe('network')
    } finally {
      jest.useRealTimers()
    }
    party.wire.isDown = false
    expect(await status(party)).toBe(200)
  })
})

describe('a session that was ended elsewhere', () => {
  test('ends on the client at the next request', async () => {
    const party = await signedUp(server)
    const { client, store, email } = party
    const elsewhere = clientOf(server).client
    await elsewhere.signIn({ email, password: GOOD_PASSWORD })
    await elsewhere.account.changePassword(GOOD_PASSWORD, NEW_PASSWORD)
    expect(await codeOf(client.fetch('/account'))).toBe('session_ended')
    expect(client.session).toBeUndefined()
    expect(await storedSession(store)).toBeUndefined()
    expect(await codeOf(client.fetch('/account'))).toBe('not_signed_in')
  })

  test.each(['signOut', 'resume'] as const)('is no error for %s', async (what) => {
    const { client, store, email } = await signedUp(server)
    const elsewhere = clientOf(server).client
    await elsewhere.signIn({ email, password: GOOD_PASSWORD })
    await elsewhere.account.changePassword(GOOD_PASSWORD, NEW_PASSWORD)
    expect(await client[what]()).toBe(what === 'signOut' ? true : undefined)
    expect(client.session).toBeUndefined()
    expect(await storedSession(store)).toBeUndefined()
  })

  test('and cannot be reached to sign out is still removed from the client', async () => {
    const { client, wire, store } = await signedUp(server)
    wire.isDown = true
    expect(await client.signOut()).toBe(false)
    expect(client.session).toBeUndefined()
    expect(await storedSession(store)).toBeUndefined()
  })
})

describe('two tabs of one session', () => {
  test('renew once when both need it at the same time', async () => {
    const { first, second } = await twoTabs()
    expire()
    const both = await Promise.all([status(first), status(second)])
    expect(both).toEqual([200, 200])
    expect(first.wire.count(TOKEN) + second.wire.count(TOKEN)).toBe(1)
    const [one, other] = [await first.client.accessToken(), await second.client.accessToken()]
    expect(other.jwe).toBe(one.jwe)
    expect(second.client.session?.account?.email).toBe(first.email)
  })

  test('renew once when the second needs it much later', async () => {
    const { first, second } = await twoTabs()
    expire()
    expect(await status(first)).toBe(200)
    server.clock.advance(60)
    expect(await status(second)).toBe(200)
    expect(second.wire.count(TOKEN)).toBe(0)
    expect(second.wire.count('GET /account')).toBe(2)
  })

  test('renew again when the shared token has expired too', async () => {
    const { first, second } = await twoTabs()
    expire()
    expect(await status(first)).toBe(200)
    expire()
    expect(await status(second)).toBe(200)
    expect(second.wire.count(TOKEN)).toBe(1)
    expect(await status(first)).toBe(200)
    expect(first.wire.count(TOKEN)).toBe(1)
  })

  test('are both signed out by one, which the other notices at its next request', async () => {
    const { first, second, store } = await twoTabs()
    await first.client.signOut()
    let changes = 0
    second.client.onChange(() => changes++)
    expect(await codeOf(second.client.fetch('/account'))).toBe('session_ended')
    expect(second.wire.count(TOKEN)).toBe(0)
    expect(second.client.session).toBeUndefined()
    expect(changes).toBe(1)
    expect(await storedSession(store)).toBeUndefined()
  })

  /** A second tab that has read the session, and waits for the server's keys to open it. */
  async function secondTabLoading(store: ClientStore) {
    // The stored keys are no longer fresh.
    server.clock.advance(301)
    const second = clientOf(server, { store })
    let goOn: () => void = () => undefined
    const isAsking = new Promise<void>((resolve) => {
      second.wire.on('GET /.well-known/jwks.json', async (request, send) => {
        resolve()
        await new Promise<void>((released) => (goOn = released))
        return send(request)
      })
    })
    const resumed = second.client.resume()
    await isAsking
    return {
      second,
      resumed,
      goOn: () => {
        goOn()
      },
    }
  }

  test('are both signed out if the first signs out while the second still loads', async () => {
    const { client, store } = await signedUp(server)
    const { second, resumed, goOn } = await secondTabLoading(store)
    await client.signOut()
    const asked = second.wire.count('GET /account')
    goOn()
    expect(await resumed).toBeUndefined()
    expect(second.client.session).toBeUndefined()
    expect(second.wire.count('GET /account')).toBe(asked)
  })

  test('are both the person who signs up in the first while the second still loads', async () => {
    const { client, store } = await signedUp(server)
    const { second, resumed, goOn } = await secondTabLoading(store)
    const bob = someEmail()
    await client.signUp({ email: bob, password: GOOD_PASSWORD })
    goOn()
    expect((await resumed)?.account?.email).toBe(bob)
    expect(second.client.session?.sessionId).toBe(client.session?.sessionId)
  })

  test('do not turn the second one into the person who signs up in the first', async () => {
    const { first, second, store } = await twoTabs()
    const bob = someEmail()
    await first.client.signUp({ email: bob, password: GOOD_PASSWORD })
    expect(await codeOf(second.client.fetch('/account'))).toBe('session_ended')
    expect(second.client.session).toBeUndefined()
    // Not at the next request either, and not by signing out again.
    expect(await codeOf(second.client.account.rename('Alice'))).toBe('not_signed_in')
    expect(await codeOf(second.client.accessToken())).toBe('not_signed_in')
    expect(await second.client.signOut()).toBe(false)
    expect((await storedSession(store))?.['session_id']).toBe(first.client.session?.sessionId)
    expect((await first.client.account.read()).account).toMatchObject({ email: bob, name: null })
    expect((await second.client.resume())?.account?.email).toBe(bob)
    expect(await status(second)).toBe(200)
  })

  test("end the second one's session when it resumes after a sign-up in the first", async () => {
    const { first, second } = await twoTabs()
    await first.client.signUp({ email: someEmail(), password: GOOD_PASSWORD })
    expect(await second.client.resume()).toBeUndefined()
    expect(second.client.session).toBeUndefined()
  })

  test('leave the new person signed in when the second one signs out', async () => {
    const { first, second, store } = await twoTabs()
    await first.client.signUp({ email: someEmail(), password: GOOD_PASSWORD })
    expect(await second.client.signOut()).toBe(true)
    expect(second.client.session).toBeUndefined()
    expect((await storedSession(store))?.['session_id']).toBe(first.client.session?.sessionId)
    expect(await status(first)).toBe(200)
  })

  test('keep the second one signed out after the first signs in again', async () => {
    const { first, second } = await twoTabs()
    await second.client.signOut()
    await first.client.signIn({ email: first.email, password: GOOD_PASSWORD })
    expect(await codeOf(second.client.fetch('/account'))).toBe('not_signed_in')
    expect(second.client.session).toBeUndefined()
  })

  test('keep a second one that finds out by resuming signed out', async () => {
    const { first, second } = await twoTabs()
    await first.client.signOut()
    let changes = 0
    second.client.onChange(() => changes++)
    expect(await second.client.resume()).toBeUndefined()
    expect(changes).toBe(1)
    await first.client.signUp({ email: someEmail(), password: GOOD_PASSWORD })
    expect(await codeOf(second.client.fetch('/account'))).toBe('not_signed_in')
  })

  test('end a request of the second one whose session the first replaces meanwhile', async () => {
    const { first, second } = await twoTabs()
    second.wire.on('GET /account', async (request, send) => {
      await first.client.signUp({ email: someEmail(), password: GOOD_PASSWORD })
      return send(request)
    })
    expect(await codeOf(second.client.account.read())).toBe('session_ended')
    expect(second.client.session).toBeUndefined()
    expect(await status(first)).toBe(200)
  })
})

describe('two processes that share a store without a lock', () => {
  async function twoProcesses() {
    const first = await signedUp(server)
    const store: ClientStore = { ...first.store, exclusively: (work) => work() }
    const second = clientOf(server, { store })
    await second.client.resume()
    expire()
    return { first, second, store }
  }

  test('go on with what the other one has stored if a renewal comes too late', async () => {
    const { first, second, store } = await twoProcesses()
    second.wire.on(TOKEN, async (request, send) => {
      await first.client.refresh()
      await first.client.refresh()
      return send(request)
    })
    await (await first.client.vault()).set('a', 1)
    expect(await status(second)).toBe(200)
    expect(second.wire.count(TOKEN)).toBe(1)
    expect((await second.client.accessToken()).jwe).toBe((await first.client.accessToken()).jwe)
    expect(await storedSession(store)).toBeDefined()
    expect(await (await second.client.vault()).get('a')).toBe(1)
  })

  test('do not go on with a token that has expired meanwhile', async () => {
    const { first, second } = await twoProcesses()
    second.wire.on(TOKEN, async (request, send) => {
      second.wire.on(TOKEN, undefined)
      await first.client.refresh()
      await first.client.refresh()
      expire()
      return send(request)
    })
    await second.client.refresh()
    expect(second.wire.count(TOKEN)).toBe(2)
    expect((await second.client.accessToken()).claims.sid).toBe(first.client.session?.sessionId)
  })

  test('both learn that the session has ended', async () => {
    const { first, second, store } = await twoProcesses()
    second.wire.on(TOKEN, async (request, send) => {
      second.wire.on(TOKEN, undefined)
      await first.client.refresh()
      await server.database.deleteFrom('sessions').execute()
      return send(request)
    })
    // The renewed token of the first one looks usable, but the server refuses it.
    expect(await codeOf(status(second))).toBe('session_ended')
    expect(await storedSession(store)).toBeUndefined()
    expect(await codeOf(status(first))).toBe('session_ended')
  })
})

test('a late 401 to the previous person does not sign out the next person', async () => {
  const party = await signedUp(server)
  const { client, wire, store } = party
  const bob = someEmail()
  wire.on('GET /account', async (request, send) => {
    wire.on('GET /account', undefined)
    await client.signUp({ email: bob, password: GOOD_PASSWORD })
    return send(request)
  })
  expect(await codeOf(client.fetch('/account'))).toBe('session_ended')
  expect(client.session?.account?.email).toBe(bob)
  expect(await storedSession(store)).toBeDefined()
  expect(await status(party)).toBe(200)
})

test('a session that vanishes from the store is over at the next renewal', async () => {
  const party = await signedUp(server)
  await party.store.write('session', undefined)
  expect(await status(party)).toBe(200)
  expire()
  expect(await codeOf(party.client.fetch('/account'))).toBe('session_ended')
})

describe("a store that notifies clients of each other's changes", () => {
  /** Two clients of such a store. */
  async function toldTabs() {
    const memory = memoryStore()
    const listeners = new Set<() => void>()
    const store: ClientStore = {
      ...memory,
      async write(name, value) {
        await memory.write(name, value)
        if (name === 'session') for (const listener of listeners) listener()
      },
      subscribe(listener) {
        listeners.add(listener)
        return () => listeners.delete(listener)
      },
    }
    const first = await signedUp(server, { store })
    const second = clientOf(server, { store })
    await second.client.resume()
    return { first, second }
  }
  const told = (client: AuthClient) =>
    new Promise<unknown>((resolve) =>
      client.onChange(() => {
        resolve(client.session?.account?.email)
      }),
    )

  test('signs out the second tab at once when the first signs out', async () => {
    const { first, second } = await toldTabs()
    const change = told(second.client)
    await first.client.signOut()
    expect(await change).toBeUndefined()
    expect(second.client.session).toBeUndefined()
    expect(await codeOf(second.client.fetch('/account'))).toBe('not_signed_in')
  })

  test('signs out the second tab, and removes no vault, when it cannot read what is stored', async () => {
    const { first, second } = await toldTabs()
    await (await second.client.vault()).set('a', 1)
    const vault = first.store.vault(first.client.session!.sessionId)
    const change = told(second.client)
    await first.store.write('session', { version: 2 })
    expect(await change).toBeUndefined()
    await first.store.exclusively(() => Promise.resolve())
    expect(await vault.ids()).toHaveLength(1)
  })

  test('leaves the second tab signed in when the first renews', async () => {
    const { first, second } = await toldTabs()
    await first.client.refresh()
    expect(second.client.session).toBeDefined()
    expect(await status(second)).toBe(200)
  })

  test('signs out the second tab when another person signs in in the first, until it resumes', async () => {
    const { first, second } = await toldTabs()
    const change = told(second.client)
    const bob = someEmail()
    await first.client.signUp({ email: bob, password: GOOD_PASSWORD })
    expect(await change).toBeUndefined()
    expect(await codeOf(second.client.fetch('/account'))).toBe('not_signed_in')
    expect((await second.client.resume())?.account?.email).toBe(bob)
  })

  test('lets a second tab resume the session that the first has just started', async () => {
    const { first, second } = await toldTabs()
    await first.client.signOut()
    const page = clientOf(server, { store: second.store })
    expect(await page.client.resume()).toBeUndefined()
    const change = told(page.client)
    await first.client.signIn({ email: first.email, password: GOOD_PASSWORD })
    await change
    expect(page.client.session).toBeUndefined()
    expect((await page.client.resume())?.account?.email).toBe(first.email)
  })
})

describe('signing in again', () => {
  test('revokes the previous session, and replaces it even if that fails', async () => {
    const { client, wire, email, store } = await signedUp(server)
    const first = client.session!.sessionId
    wire.on('POST /revoke', lost)
    const second = await client.signIn({ email, password: GOOD_PASSWORD })
    expect(wire.count('POST /revoke')).toBe(1)
    expect((await storedSession(store))?.['session_id']).toBe(second.sessionId)
    wire.on('POST /revoke', undefined)
    const third = await client.signIn({ email, password: GOOD_PASSWORD })
    const alive = await sessionIdsOf(server.database, third.account!.id)
    expect(alive.sort()).toEqual([first, third.sessionId].sort())
  })

  test('in place of a damaged session sends no token of it', async () => {
    const { client, wire, email, store } = await signedUp(server)
    await store.write('session', { ...(await storedSession(store)), refresh_token: 'damaged' })
    await client.signIn({ email, password: GOOD_PASSWORD })
    expect(wire.count('POST /revoke')).toBe(0)
    expect((await client.fetch('/account')).status).toBe(200)
  })
})

describe('a stored session', () => {
  test('that is gone leaves nothing behind', async () => {
    const { store, wire } = await signedUp(server)
    await store.write('session', undefined)
    await store.vault('left-over').put('a', new Uint8Array(1))
    const before = wire.sent.length
    const { client } = clientOf(server, { store, fetch: wire.fetch })
    expect(await client.resume()).toBeUndefined()
    expect(await storedSession(store)).toBeUndefined()
    expect(await store.vault('left-over').ids()).toEqual([])
    expect(wire.sent.length).toBe(before)
  })

  test.each<[string, string, (kept: Record<string, unknown>) => unknown]>([
    ['another client_id', 'jwe_kid', (kept) => ({ ...kept, client_id: 'another' })],
    ['another session_id', 'session', (kept) => ({ ...kept, session_id: 'another' })],
    [
      'a damaged token',
      'base64url',
      (kept) => ({ ...kept, access_token: String(kept['access_token']).replace('.', '=.') }),
    ],
    ['null', 'stored_session', () => null],
    ['text', 'stored_session', () => 'session'],
    ['a list', 'stored_session', (kept) => [kept]],
    ['no client', 'stored_session', (kept) => ({ ...kept, client_id: undefined })],
    ['no session', 'stored_session', (kept) => ({ ...kept, session_id: undefined })],
    ['no access token', 'stored_session', (kept) => ({ ...kept, access_token: '' })],
    ['no refresh token', 'stored_session', (kept) => ({ ...kept, refresh_token: 1 })],
    ['no clock offset', 'stored_session', (kept) => ({ ...kept, clock_offset: 'now' })],
    ['half a second', 'stored_session', (kept) => ({ ...kept, clock_offset: 0.5 })],
    [
      'the refresh token as its access token',
      'typ',
      (kept) => ({ ...kept, access_token: kept['refresh_token'] }),
    ],
  ])('with %s is unreadable (%s), and stays until the next sign-in', async (_, reason, change) => {
    const { store, wire, client: before, email } = await signedUp(server)
    const { sessionId } = before.session!
    await (await before.vault()).set('a', 1)
    const changed = change((await storedSession(store))!)
    await store.write('session', changed)
    const sent = wire.sent.length
    const refused: unknown[] = []
    const onRefused = (error: unknown) => refused.push(error)
    const { client } = clientOf(server, { store, fetch: wire.fetch, onRefused })
    expect(await client.resume()).toBeUndefined()
    const message = `The token is not valid: ${reason}.`
    expect(refused).toEqual([expect.objectContaining({ code: 'token_invalid', message })])
    expect(await codeOf(client.fetch('/account'))).toBe('not_signed_in')
    expect(wire.sent.length).toBe(sent)
    expect(await storedSession(store)).toEqual(changed)
    expect(await store.vault(sessionId).ids()).toHaveLength(1)
    await client.signIn({ email, password: GOOD_PASSWORD })
    expect(await store.vault(sessionId).ids()).toEqual([])
    expect((await client.fetch('/account')).status).toBe(200)
  })

  test("without the client's key cannot be opened, and stays", async () => {
    const { store } = await signedUp(server)
    const other = memoryStore()
    for (const name of ['session', 'server']) await other.write(name, await store.read(name))
    expect(await clientOf(server, { store: other }).client.resume()).toBeUndefined()
    expect(await storedSession(other)).toEqual(await storedSession(store))
  })

  test.each([
    ['a damaged access token', { access_token: 'damaged' }],
    ['damaged tokens', { access_token: 'damaged', refresh_token: 'damaged' }],
  ])('with %s is replaced by a page that is still open', async (_name, damage) => {
    const party = await signedUp(server)
    const { client, store } = party
    await (await client.vault()).set('a', 1)
    await store.write('session', { ...(await storedSession(store)), ...damage })
    expire()
    expect(await status(party)).toBe(200)
    const { client: after } = clientOf(server, { store })
    expect((await after.resume())?.sessionId).toBe(client.session?.sessionId)
    expect(await (await after.vault()).get('a')).toBe(1)
  })

  test.each([
    ['null', null],
    ['no refresh token', { session_id: 'x' }],
  ])('that is %s is replaced by a page that is still open', async (_name, damaged) => {
    const party = await signedUp(server)
    const { client, store } = party
    await (await client.vault()).set('a', 1)
    await store.write('session', damaged)
    expire()
    expect(await status(party)).toBe(200)
    const { client: after } = clientOf(server, { store })
    expect((await after.resume())?.sessionId).toBe(client.session?.sessionId)
    expect(await (await after.vault()).get('a')).toBe(1)
  })

  test('that is damaged and has ended is removed once the server says so', async () => {
    const { client, store } = await signedUp(server)
    await store.write('session', { ...(await storedSession(store)), access_token: 'damaged' })
    await server.database.deleteFrom('sessions').execute()
    expect(await codeOf(client.fetch('/account'))).toBe('session_ended')
    expect(await storedSession(store)).toBeUndefined()
  })

  test('whose client key is gone signs the page out and is not removed', async () => {
    const { client, store, wire } = await signedUp(server)
    const loadKey = store.loadKey.bind(store)
    const kept = await storedSession(store)
    let changes = 0
    client.onChange(() => changes++)
    store.loadKey = () => Promise.resolve(undefined)
    expire()
    const sent = wire.count(TOKEN)
    expect(await codeOf(client.fetch('/account'))).toBe('not_signed_in')
    expect([client.session, changes, wire.count(TOKEN)]).toEqual([undefined, 1, sent])
    expect(await storedSession(store)).toEqual(kept)
    store.loadKey = loadKey
    expect((await client.resume())?.sessionId).toBe(kept?.['session_id'])
  })
})
