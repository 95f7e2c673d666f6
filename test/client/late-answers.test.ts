/** Answers that come late or never, on connections that stay open. */
import { setTimeout as delay } from 'node:timers/promises'
import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  jest,
  test,
} from '@jest/globals'
import { createContext } from '../../client/context.ts'
import { AuthError, memoryStore, type ClientStore } from '../../client/index.ts'
import type { OpenSession } from '../../client/session/open-session.ts'
import { requestPair } from '../../client/session/token-endpoint.ts'
import { openDatabase, type Database } from '../../server/database/open.ts'
import {
  clientOf,
  codeOf,
  errorOf,
  jsonResponse,
  rotatingKeystore,
  signedUp,
  startServer,
  storedSession,
  type Party,
  type Wire,
} from '../support/auth-client.ts'
import { GOOD_PASSWORD, someEmail } from '../support/client.ts'
import { sessionIdsOf } from '../support/database.ts'
import type { TestServer } from '../support/server.ts'
import { fakeTimeouts, hurry, pass, until } from '../support/timers.ts'

const ACCOUNT = 'GET /account'
const JWKS = 'GET /.well-known/jwks.json'
const LOGOUT = 'POST /account/logout'
const TOKEN = 'POST /token'

const never = () => new Promise<never>(() => undefined)
const lost = () => Promise.reject(new TypeError('fetch failed'))
const sleep = (time: number) => new Promise<void>((resolve) => setTimeout(resolve, time))

let server: TestServer
let database: Database
beforeAll(async () => {
  // PostgreSQL's connections have timers of their own, and these tests count timers.
  database = await openDatabase(':memory:')
  server = await startServer({}, { database })
})
afterAll(async () => {
  await server.stop()
  await database.destroy()
})
beforeEach(fakeTimeouts)
afterEach(() => {
  jest.useRealTimers()
})

const expire = () => {
  server.clock.advance(server.config.accessTokenTtl)
}
const status = async ({ client }: Pick<Party, 'client'>) => (await client.fetch('/account')).status

/** Forwards requests of one kind to the server, and holds back its answers until `release()`. */
function hold(wire: Wire, line: string) {
  let release: () => void = () => undefined
  const released = new Promise<void>((resolve) => (release = resolve))
  let arrive: () => void = () => undefined
  const arrived = new Promise<void>((resolve) => (arrive = resolve))
  wire.on(line, async (request, send) => {
    const response = await send(request)
    arrive()
    await released
    return response
  })
  return {
    /** Resolves when the server has answered the first one. */
    arrived,
    release: () => {
      wire.on(line, undefined)
      release()
    },
  }
}

/** Replaces the answers to `POST /token` in turn, after the server has given its own. */
function answer(wire: Wire, ...answers: ((response: Response) => Promise<Response>)[]) {
  wire.on(TOKEN, async (request, send) => {
    const response = await send(request)
    return answers.shift()?.(response) ?? response
  })
}
const tries = (parties: Party[]) => parties.map(({ wire }) => wire.count(TOKEN))

describe('a renewal without an answer', () => {
  test('is retried after three seconds, and the session goes on', async () => {
    const [once, twice, late] = [
      await signedUp(server),
      await signedUp(server),
      await signedUp(server),
    ]
    const parties = [once, twice, late]
    answer(once.wire, never)
    answer(twice.wire, never, never)
    // The first answer comes late, and the second never.
    answer(late.wire, (response) => sleep(4500).then(() => response), never)
    expire()
    const done: Party[] = []
    const statuses = parties.map(async (party) => {
      const answered = await status(party)
      done.push(party)
      return answered
    })
    // For three seconds, one request each.
    await pass(2999, 4)
    expect(tries(parties)).toEqual([1, 1, 1])
    await jest.advanceTimersByTimeAsync(1)
    await until(() => done.length === 1 && tries(parties).every((count) => count > 1))
    expect([tries(parties), done]).toEqual([[2, 2, 2], [once]])
    await pass(1500, 3)
    await until(() => done.length === 2)
    expect([tries(parties), done]).toEqual([
      [2, 2, 2],
      [once, late],
    ])
    await pass(1500, 1)
    expect(await Promise.all(statuses)).toEqual([200, 200, 200])
    expect(tries(parties)).toEqual([2, 3, 2])
    for (const party of parties) {
      party.wire.on(TOKEN, undefined)
      expect(party.client.session?.account?.email).toBe(party.email)
      // The server accepts the newest refresh token, too.
      await party.client.refresh()
      expect(await status(party)).toBe(200)
    }
  })

  test('ends the session at once if a try is refused', async () => {
    const refusal = () => Promise.resolve(jsonResponse({ error: 'invalid_grant' }, 400))
    const [first, second] = [await signedUp(server), await signedUp(server)]
    answer(first.wire, refusal)
    answer(second.wire, never, refusal)
    expire()
    expect(await codeOf(first.client.fetch('/account'))).toBe('session_ended')
    const ended = codeOf(second.client.fetch('/account'))
    await pass(3000, 1)
    expect(await ended).toBe('session_ended')
    expect(tries([first, second])).toEqual([1, 2])
    for (const { client, store } of [first, second]) {
      expect(client.session).toBeUndefined()
      expect(await storedSession(store)).toBeUndefined()
    }
  })

  test('keeps the session if the connection breaks three times', async () => {
    const party = await signedUp(server)
    answer(party.wire, lost, lost, lost)
    expire()
    const code = codeOf(party.client.fetch('/account'))
    await hurry(code)
    expect(await code).toBe('network')
    expect(tries([party])).toEqual([3])
    expect(await status(party)).toBe(200)
  })

  test('is given up after three tries, even if fetch ignores the abort signal', async () => {
    let asked = 0
    const fetch = (request: Request) => {
      if (!request.url.endsWith('/token')) return globalThis.fetch(request)
      asked++
      return never()
    }
    const { url, config, clock } = server
    const options = { server: url, issuer: config.issuer, clock, store: memoryStore(), fetch }
    const context = createContext(options)
    await context.server.info()
    const session = { stored: { session_id: 'session', clock_offset: 0 }, access: { claims: {} } }
    const failure = errorOf(requestPair(context, session as OpenSession, 'a.b.c'))
    await hurry(failure)
    expect((await failure).code).toBe('network')
    expect(asked).toBe(3)
  })
})

/** The access tokens of all answers to `POST /token` from now on. */
function watchPairs(wire: Wire) {
  const pairs: unknown[] = []
  wire.on(TOKEN, async (request, send) => {
    const response = await send(request)
    const { access_token } = (await response.clone().json()) as { access_token: string }
    pairs.push(access_token)
    return response
  })
  return pairs
}

describe('a fresh pair', () => {
  /** A store that fails to write the session while `isFull` is set. */
  function unreliableStore() {
    const memory = memoryStore()
    const state = { isFull: false }
    const store: ClientStore = {
      ...memory,
      async write(name, value) {
        if (state.isFull && name === 'session') throw new AuthError('store_failed', 'Full.')
        await memory.write(name, value)
      },
    }
    return { state, store }
  }

  /** The next try takes the same pair, even much later, and the session goes on. */
  async function expectKept(server: TestServer, party: Party, pairs: unknown[], delay: number) {
    server.clock.advance(delay)
    const came = Math.floor(server.clock() / 1000) - delay
    const session = await party.client.refresh()
    expect(pairs).toHaveLength(1)
    expect((await storedSession(party.store))?.['access_token']).toBe(pairs[0])
    expect((await party.client.accessToken()).jwe).toBe(pairs[0])
    // Its time is that of its arrival, not of its acceptance.
    expect(session.claims.iat).toBe(came)
    expect((await storedSession(party.store))?.['clock_offset']).toBe(0)
    expect(await status(party)).toBe(200)
    expect(pairs).toHaveLength(1)
    // The next refresh asks for a new pair.
    await party.client.refresh()
    expect(pairs).toHaveLength(2)
    expect(await status(party)).toBe(200)
  }

  test.each([0, 60])('is kept %i s until its keys can be fetched', async (delay) => {
    const keys = await rotatingKeystore()
    const rotating = await startServer({}, { keystore: keys.keystore, database })
    try {
      const party = await signedUp(rotating)
      const pairs = watchPairs(party.wire)
      await keys.rotate()
      await keys.rotate()
      party.wire.on(JWKS, lost)
      expect(await codeOf(party.client.refresh())).toBe('network')
      expect(await codeOf(party.client.refresh())).toBe('network')
      expect(pairs).toHaveLength(1)
      expect(party.client.session?.account?.email).toBe(party.email)
      expect(await storedSession(party.store)).toBeDefined()
      party.wire.on(JWKS, undefined)
      await expectKept(rotating, party, pairs, delay)
    } finally {
      await rotating.stop()
    }
  })

  test.each([0, 60])('is kept for %i s until the store can write it', async (delay) => {
    const { store, state } = unreliableStore()
    const party = await signedUp(server, { store })
    const pairs = watchPairs(party.wire)
    const before = await storedSession(store)
    state.isFull = true
    expect(await codeOf(party.client.refresh())).toBe('store_failed')
    expect(await codeOf(party.client.refresh())).toBe('store_failed')
    expect(await storedSession(store)).toEqual(before)
    expect(party.client.session?.account?.email).toBe(party.email)
    state.isFull = false
    await expectKept(server, party, pairs, delay)
  })

  test('that another page has stored ends nothing while its keys cannot be fetched', async () => {
    const keys = await rotatingKeystore()
    const rotating = await startServer({}, { keystore: keys.keystore, database })
    try {
      const first = await signedUp(rotating)
      const second = clientOf(rotating, { store: first.store })
      await second.client.resume()
      await keys.rotate()
      await keys.rotate()
      await first.client.refresh()
      second.wire.on(JWKS, lost)
      expect(await codeOf(second.client.refresh())).toBe('network')
      expect(second.client.session?.account?.email).toBe(first.email)
      expect(await storedSession(first.store)).toBeDefined()
      second.wire.on(JWKS, undefined)
      await second.client.refresh()
      expect(second.wire.count(TOKEN)).toBe(0)
      expect((await second.client.accessToken()).jwe).toBe((await first.client.accessToken()).jwe)
    } finally {
      await rotating.stop()
    }
  })

  test('that expires before it could be stored is renewed', async () => {
    const { store, state } = unreliableStore()
    const party = await signedUp(server, { store })
    state.isFull = true
    expect(await codeOf(party.client.refresh())).toBe('store_failed')
    state.isFull = false
    expire()
    expect(await status(party)).toBe(200)
    expect(party.wire.count(TOKEN)).toBe(2)
    expect(await status(party)).toBe(200)
  })

  test.each<[string, (other: Party) => Promise<unknown>]>([
    ['damaged', () => Promise.resolve('a.b.c.d.e')],
    [
      "of somebody else's session",
      async ({ store }) => (await storedSession(store))?.['access_token'],
    ],
  ])('that is %s is not kept', async (_name, make) => {
    const party = await signedUp(server)
    party.wire.change(TOKEN, { access_token: await make(await signedUp(server)) })
    expect(await codeOf(party.client.refresh())).toBe('token_invalid')
    party.wire.change(TOKEN, undefined)
    await party.client.refresh()
    expect(party.wire.count(TOKEN)).toBe(2)
    expect(await status(party)).toBe(200)
  })
})

describe('signing out', () => {
  test('gives up on a server that hangs after seven seconds', async () => {
    const { client, wire, store } = await signedUp(server)
    const vault = await client.vault()
    await vault.set('secret', 1)
    const sessionId = client.session!.sessionId
    wire.on(LOGOUT, never)
    const signedOut = client.signOut()
    expect(await hurry(signedOut)).toBeLessThan(7000)
    expect(await signedOut).toBe(false)
    expect(client.session).toBeUndefined()
    expect(await storedSession(store)).toBeUndefined()
    expect(await store.vault(sessionId).ids()).toEqual([])
    expect(await codeOf(client.fetch('/account'))).toBe('not_signed_in')
  })

  test('does not wait for a hanging renewal, whose late answer restores nothing', async () => {
    const alone = await signedUp(server)
    const first = await signedUp(server)
    const second = clientOf(server, { store: first.store })
    await second.client.resume()
    await (await first.client.vault()).set('secret', 1)
    const sessionId = first.client.session!.sessionId
    const held = [hold(alone.wire, TOKEN), hold(first.wire, TOKEN)]
    expire()
    const requests = [
      codeOf(alone.client.fetch('/account')),
      codeOf(first.client.fetch('/account')),
    ]
    await Promise.all(held.map(({ arrived }) => arrived))
    // For the second one, another client of the same store signs out.
    const signedOut = Promise.all([alone.client.signOut(), second.client.signOut()])
    expect(await hurry(signedOut)).toBeLessThan(12_000)
    expect(await signedOut).toEqual([false, false])
    for (const { client, store } of [alone, second]) {
      expect(client.session).toBeUndefined()
      expect(await storedSession(store)).toBeUndefined()
    }
    for (const { release } of held) release()
    expect(await Promise.all(requests)).toEqual(['session_ended', 'session_ended'])
    await delay(100)
    for (const { client, store } of [alone, first, second]) {
      expect(client.session).toBeUndefined()
      expect(await storedSession(store)).toBeUndefined()
      expect(await client.resume()).toBeUndefined()
    }
    expect(await first.store.vault(sessionId).ids()).toEqual([])
  })
})

describe('a late answer to the previous person does not affect the next person:', () => {
  const signUpB = (client: Party['client']) =>
    client.signUp({ email: someEmail(), password: GOOD_PASSWORD, name: 'B' })

  test.each<[string, string, (party: Party) => Promise<unknown>, unknown]>([
    ['a sign-out', LOGOUT, ({ client }) => client.signOut(), true],
    [
      'an account removal',
      'DELETE /account',
      ({ client }) => client.account.remove(GOOD_PASSWORD),
      undefined,
    ],
    [
      'a rename',
      'PATCH /account',
      ({ client }) => client.account.rename('Late'),
      expect.objectContaining({ name: 'Late' }),
    ],
  ])('%s', async (_name, line, act, outcome) => {
    const party = await signedUp(server)
    const { client, wire, store } = party
    const held = hold(wire, line)
    const late = act(party)
    await held.arrived
    const { sessionId, account } = await signUpB(client)
    await (await client.vault()).set('note', 'of B')
    const kept = await storedSession(store)
    let changes = 0
    client.onChange(() => changes++)
    held.release()
    expect(await late).toEqual(outcome)
    expect(changes).toBe(0)
    expect(client.session).toMatchObject({ sessionId, account: { id: account!.id, name: 'B' } })
    expect(await storedSession(store)).toEqual(kept)
    expect(await (await client.vault()).get('note')).toBe('of B')
    expect(await status(party)).toBe(200)
    expect((await client.account.read()).account.name).toBe('B')
  })

  test('a sign-out in a page that has not resumed', async () => {
    const { store } = await signedUp(server)
    const party = clientOf(server, { store })
    const held = hold(party.wire, LOGOUT)
    const late = party.client.signOut()
    await held.arrived
    const { sessionId } = await signUpB(party.client)
    held.release()
    expect(await late).toBe(true)
    expect(party.client.session?.sessionId).toBe(sessionId)
    expect((await storedSession(store))?.['session_id']).toBe(sessionId)
    expect(await status(party)).toBe(200)
  })

  test('a renewal', async () => {
    const party = await signedUp(server)
    const held = hold(party.wire, TOKEN)
    expire()
    const late = codeOf(party.client.fetch('/account'))
    await held.arrived
    const begun = signUpB(party.client)
    held.release()
    await late.catch(() => undefined)
    const { sessionId } = await begun
    expect(party.client.session?.sessionId).toBe(sessionId)
    expect((await storedSession(party.store))?.['session_id']).toBe(sessionId)
    expect(await status(party)).toBe(200)
  })
})

describe('a request that its caller aborts', () => {
  test('stops waiting for the renewal, which goes on', async () => {
    const party = await signedUp(server)
    const held = hold(party.wire, TOKEN)
    expire()
    const controller = new AbortController()
    const request = party.client.fetch('/account', { signal: controller.signal })
    await held.arrived
    controller.abort()
    await expect(request).rejects.toMatchObject({ name: 'AbortError' })
    const other = new AbortController()
    const second = party.client.fetch('/account', { signal: other.signal })
    other.abort(new RangeError('mine'))
    await expect(second).rejects.toThrow(new RangeError('mine'))
    expect(party.wire.count(ACCOUNT)).toBe(0)
    // The renewal itself continues.
    held.release()
    expect(await status(party)).toBe(200)
    expect(party.wire.count(TOKEN)).toBe(1)
  })

  test('before it began sends nothing and leaves no unhandled rejection', async () => {
    const party = await signedUp(server)
    expire()
    party.wire.on(TOKEN, lost)
    const before = party.wire.sent.length
    const reason = new RangeError('mine')
    const signal = AbortSignal.abort(reason)
    await expect(party.client.fetch('/account', { signal })).rejects.toBe(reason)
    await expect(
      party.client.fetch('/account', { signal: AbortSignal.abort() }),
    ).rejects.toMatchObject({ name: 'AbortError' })
    // Jest fails the test for an unhandled rejection.
    await delay(50)
    expect(party.wire.sent.length).toBe(before)
  })

  test('leaves no unhandled rejection if its renewal fails later', async () => {
    const party = await signedUp(server)
    expire()
    let fail: () => void = () => undefined
    const failing = new Promise<void>((resolve) => (fail = resolve))
    party.wire.on(TOKEN, async () => {
      await failing
      return jsonResponse({ error: 'invalid_grant' }, 400)
    })
    const controller = new AbortController()
    const request = party.client.fetch('/account', { signal: controller.signal })
    await until(() => party.wire.count(TOKEN) === 1)
    controller.abort()
    await expect(request).rejects.toMatchObject({ name: 'AbortError' })
    fail()
    await until(() => party.client.session === undefined)
    await delay(50)
    expect(await storedSession(party.store)).toBeUndefined()
  })
})

test('a sign-in is stored before the old session is revoked, and usable during the revocation', async () => {
  const party = await signedUp(server)
  const { client, wire, store, email } = party
  const before = client.session!.sessionId
  const atRevocation: unknown[] = []
  const held = hold(wire, 'POST /revoke')
  const inner = held.arrived.then(async () => {
    atRevocation.push((await storedSession(store))?.['session_id'], client.session?.sessionId)
  })
  const signingIn = client.signIn({ email, password: GOOD_PASSWORD })
  await inner
  expect(atRevocation[0]).not.toBe(before)
  expect(atRevocation[1]).toBe(atRevocation[0])
  // The new session can be used meanwhile.
  expect(await status(party)).toBe(200)
  held.release()
  const { sessionId, account } = await signingIn
  expect(sessionId).toBe(atRevocation[0])
  expect(await sessionIdsOf(server.database, account!.id)).toEqual([sessionId])
})
