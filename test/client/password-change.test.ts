/** The new token pair of a password change. Every older token is dead, so it must not be lost. */
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { memoryStore, type ClientStore } from '../../client/index.ts'
import { TIMEOUT } from '../../client/http.ts'
import {
  clientOf,
  codeOf,
  jsonResponse,
  rotatingKeystore,
  signedUp,
  startServer,
  storedSession,
} from '../support/auth-client.ts'
import { GOOD_PASSWORD } from '../support/client.ts'
import type { TestServer } from '../support/server.ts'

const CHANGE = 'PUT /account/password'
const TOKEN = 'POST /token'
const NEW_PASSWORD = 'another brick in the wall'
const lost = () => Promise.reject(new TypeError('fetch failed'))

let server: TestServer
beforeAll(async () => {
  server = await startServer()
})
afterAll(() => server.stop())

const change = (party: Pick<ReturnType<typeof clientOf>, 'client'>) =>
  party.client.account.changePassword(GOOD_PASSWORD, NEW_PASSWORD)
const status = async ({ client }: Pick<ReturnType<typeof clientOf>, 'client'>) =>
  (await client.fetch('/account')).status

/** Two clients that share a store, as two tabs of a browser do. */
async function twoTabs() {
  const first = await signedUp(server)
  const second = clientOf(server, { store: first.store })
  await second.client.resume()
  return { first, second }
}

/** Holds back the answer of a change until `deliver()`; the server has made the change by then. */
function heldAnswer({ wire }: Pick<ReturnType<typeof clientOf>, 'wire'>) {
  let deliver: () => void = () => undefined
  const delivered = new Promise<void>((resolve) => (deliver = resolve))
  const answered = new Promise<void>((resolve) => {
    wire.on(CHANGE, async (request, send) => {
      const response = await send(request)
      resolve()
      await delivered
      return response
    })
  })
  return { answered, deliver }
}

/** The status of the next answer to `GET /account`. */
const firstStatusOf = ({ wire }: Pick<ReturnType<typeof clientOf>, 'wire'>) =>
  new Promise<number>((resolve) => {
    wire.on('GET /account', async (request, send) => {
      const response = await send(request)
      wire.on('GET /account', undefined)
      resolve(response.status)
      return response
    })
  })

const soon = () => new Promise<string>((resolve) => setTimeout(resolve, 50, 'waiting'))

test('the new pair is stored when the change resolves, and the session continues with it', async () => {
  const party = await signedUp(server)
  const { client, wire, store } = party
  const before = await storedSession(store)
  await (await client.vault()).set('note', 'kept')
  let changes = 0
  client.onChange(() => changes++)
  await change(party)
  const after = await storedSession(store)
  expect(after?.['session_id']).toBe(before?.['session_id'])
  expect(after?.['refresh_token']).not.toBe(before?.['refresh_token'])
  expect(client.session).toMatchObject({ claims: { gen: 1 }, account: { email: party.email } })
  expect(changes).toBe(1)
  expect(await status(party)).toBe(200)
  expect(wire.count(TOKEN)).toBe(0)
  expect((await client.refresh()).claims.gen).toBe(1)
  expect(await (await client.vault()).get('note')).toBe('kept')

  const restarted = clientOf(server, { store })
  expect((await restarted.client.resume())?.account?.email).toBe(party.email)
})

test('an expired access token is renewed before the change', async () => {
  const party = await signedUp(server)
  server.clock.advance(server.config.accessTokenTtl)
  await change(party)
  expect([party.wire.count(TOKEN), party.wire.count(CHANGE)]).toEqual([1, 1])
  expect(await status(party)).toBe(200)
})

test('a change that is given up during a hanging renewal keeps the store locked until that ends', async () => {
  const { first, second } = await twoTabs()
  server.clock.advance(server.config.accessTokenTtl)
  let answer: () => void = () => undefined
  const hanging = new Promise<void>((resolve) => (answer = resolve))
  const asked = new Promise<void>((resolve) => {
    first.wire.on(TOKEN, async (request, send) => {
      resolve()
      await hanging
      return send(request)
    })
  })
  const patience = new AbortController()
  const timeout = AbortSignal.timeout.bind(AbortSignal)
  let changes = 0
  // The first timeout of this length is that of the change itself.
  const spy = jest
    .spyOn(AbortSignal, 'timeout')
    .mockImplementation((time) =>
      time === TIMEOUT && changes++ === 0 ? patience.signal : timeout(time),
    )
  const changing = codeOf(change(first))
  await asked
  spy.mockRestore()
  patience.abort()
  const other = second.client.refresh()
  expect(await Promise.race([other.then(() => 'renewed'), changing, soon()])).toBe('waiting')
  answer()
  expect(await changing).toBe('network')
  await other
  // The second took over the first one's pair: the refresh token was used once.
  expect([first.wire.count(TOKEN), second.wire.count(TOKEN)]).toEqual([1, 0])
  expect(first.wire.count(CHANGE)).toBe(0)
})

test('a wrong password changes nothing and releases the store', async () => {
  const { first, second } = await twoTabs()
  const before = await storedSession(first.store)
  const wrong = first.client.account.changePassword('wrong', NEW_PASSWORD)
  expect(await codeOf(wrong)).toBe('invalid_grant')
  expect(await storedSession(first.store)).toEqual(before)
  expect((await second.client.refresh()).claims.gen).toBeUndefined()
})

describe('another page', () => {
  test('with the old tokens in memory continues with the stored ones', async () => {
    const { first, second } = await twoTabs()
    await change(first)
    expect(await status(second)).toBe(200)
    expect(second.wire.count(TOKEN)).toBe(0)
    expect(second.client.session?.claims.gen).toBe(1)
    await second.client.account.changePassword(NEW_PASSWORD, GOOD_PASSWORD)
    await first.client.account.changePassword(GOOD_PASSWORD, NEW_PASSWORD)
    expect(first.client.session?.claims.gen).toBe(3)
  })

  test('that renews before the answer arrives waits for it and stays signed in', async () => {
    const { first, second } = await twoTabs()
    const { answered, deliver } = heldAnswer(first)
    const changing = change(first)
    await answered
    const refused = [first, second].map(firstStatusOf)
    const others = [status(first), status(second), second.client.refresh()]
    expect(await Promise.all(refused)).toEqual([401, 401])
    deliver()
    await changing
    expect(await Promise.all(others)).toMatchObject([200, 200, { claims: { gen: 1 } }])
    expect([first.wire.count(TOKEN), second.wire.count(TOKEN)]).toEqual([0, 0])
  })

  test('that signs out meanwhile signs out both', async () => {
    const { first, second } = await twoTabs()
    const { answered, deliver } = heldAnswer(first)
    const changing = change(first)
    await answered
    const out = second.client.signOut()
    deliver()
    await changing
    expect(await out).toBe(true)
    expect(await storedSession(first.store)).toBeUndefined()
    expect(await codeOf(first.client.fetch('/account'))).toBe('session_ended')
  })
})

describe('a change without an answer', () => {
  test('that never reached the server has changed nothing', async () => {
    const party = await signedUp(server)
    party.wire.on(CHANGE, lost)
    expect(await codeOf(change(party))).toBe('network')
    expect(await status(party)).toBe(200)
    party.wire.on(CHANGE, undefined)
    await change(party)
    expect(await status(party)).toBe(200)
  })

  test('that reached the server ends the session at the next try, and the new password is valid', async () => {
    const party = await signedUp(server)
    const { client, wire, store, email } = party
    wire.on(CHANGE, async (request, send) => {
      await send(request)
      return lost()
    })
    expect(await codeOf(change(party))).toBe('network')
    expect(await storedSession(store)).toBeDefined()
    wire.on(CHANGE, undefined)
    expect(await codeOf(change(party))).toBe('session_ended')
    expect(await storedSession(store)).toBeUndefined()
    expect(client.session).toBeUndefined()
    expect(await codeOf(client.signIn({ email, password: GOOD_PASSWORD }))).toBe('invalid_grant')
    await client.signIn({ email, password: NEW_PASSWORD })
    expect(await status(party)).toBe(200)
  })
})

/** A store that fails to write the session while `isFull` is set. */
function unreliable(): { readonly store: ClientStore; isFull: boolean } {
  const store = memoryStore()
  const state = { store, isFull: false }
  const write = store.write.bind(store)
  store.write = (name, value) =>
    state.isFull && name === 'session' ? Promise.reject(new Error('full')) : write(name, value)
  return state
}

describe('a new pair that cannot be stored', () => {
  test('is stored by the next request, once there is room', async () => {
    const state = unreliable()
    const party = await signedUp(server, { store: state.store })
    state.isFull = true
    await expect(change(party)).rejects.toThrow('full')
    state.isFull = false
    expect(await status(party)).toBe(200)
    expect(party.wire.count(TOKEN)).toBe(0)
    expect((await clientOf(server, { store: state.store }).client.resume())?.claims.gen).toBe(1)
  })

  test('is lost when the program ends', async () => {
    const state = unreliable()
    const party = await signedUp(server, { store: state.store })
    state.isFull = true
    await expect(change(party)).rejects.toThrow('full')
    state.isFull = false
    const restarted = clientOf(server, { store: state.store })
    expect(await restarted.client.resume()).toBeUndefined()
    expect(await storedSession(state.store)).toBeUndefined()
  })

  test('because its signing key cannot be fetched is verified once it can', async () => {
    const keys = await rotatingKeystore()
    const own = await startServer({}, { keystore: keys.keystore })
    try {
      const party = await signedUp(own)
      for (let rotation = 0; rotation < 2; rotation++) await keys.rotate()
      party.wire.on(CHANGE, async (request, send) => {
        const response = await send(request)
        party.wire.isDown = true
        return response
      })
      expect(await codeOf(change(party))).toBe('network')
      party.wire.isDown = false
      expect(await status(party)).toBe(200)
      expect(party.wire.count(TOKEN)).toBe(0)
      expect(party.client.session?.claims.gen).toBe(1)
    } finally {
      await own.stop()
    }
  })
})

describe('an invalid answer to the change is refused and leaves the session alone:', () => {
  test.each<[string, object, string]>([
    ['without tokens', {}, 'bad_answer'],
    ['with one token', { access_token: 'x', token_type: 'Bearer' }, 'bad_answer'],
    [
      'without a token type',
      { access_token: 'x', refresh_token: 'x', token_type: undefined },
      'bad_answer',
    ],
    [
      'with damaged tokens',
      { access_token: 'x', refresh_token: 'x', token_type: 'Bearer' },
      'token_invalid',
    ],
  ])('%s', async (_, body, code) => {
    const party = await signedUp(server)
    party.wire.on(CHANGE, () => Promise.resolve(jsonResponse(body)))
    expect(await codeOf(change(party))).toBe(code)
    // The server did not give this answer, so nothing has changed.
    expect(await status(party)).toBe(200)
    expect(party.wire.count(TOKEN)).toBe(0)
  })

  test("with another session's tokens", async () => {
    const party = await signedUp(server)
    const other = clientOf(server, { store: await copyOfKey(party.store) })
    await other.client.signIn({ email: party.email, password: GOOD_PASSWORD })
    const { access_token, refresh_token } = (await storedSession(other.store))!
    const body = { access_token, refresh_token, token_type: 'Bearer' }
    party.wire.on(CHANGE, () => Promise.resolve(jsonResponse(body)))
    expect(await codeOf(change(party))).toBe('token_invalid')
    expect(await status(party)).toBe(200)
  })
})

/** Another store with the same key. */
async function copyOfKey(store: ClientStore): Promise<ClientStore> {
  const key = (await store.loadKey())!
  const copy = memoryStore()
  copy.loadKey = () => Promise.resolve(key)
  copy.makeKey = () => Promise.resolve(key)
  return copy
}
