/** The fresh pair of a change of the password: every older token is dead, so it must not be lost. */
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

/** Two clients that share what is kept, as two tabs of a browser do. */
async function twoTabs() {
  const first = await signedUp(server)
  const second = clientOf(server, { store: first.store })
  await second.client.resume()
  return { first, second }
}

/** Holds the answer of a change until it is let through; the server has made the change by then. */
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

/** The status of the first answer to `GET /account` from now on. */
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

test('the new pair is stored when the change resolves, and everything continues with it', async () => {
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

test('a token that has expired is renewed first', async () => {
  const party = await signedUp(server)
  server.clock.advance(server.config.accessTokenTtl)
  await change(party)
  expect([party.wire.count(TOKEN), party.wire.count(CHANGE)]).toEqual([1, 1])
  expect(await status(party)).toBe(200)
})

test('that is given up while a renewal hangs keeps the store until the renewal ends', async () => {
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
  // The first of this length is that of the change itself.
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
  // It took over what the first has got: one refresh token was used, once.
  expect([first.wire.count(TOKEN), second.wire.count(TOKEN)]).toEqual([1, 0])
  expect(first.wire.count(CHANGE)).toBe(0)
})

test('a wrong password changes nothing, and leaves the store to others', async () => {
  const { first, second } = await twoTabs()
  const before = await storedSession(first.store)
  const wrong = first.client.account.changePassword('wrong', NEW_PASSWORD)
  expect(await codeOf(wrong)).toBe('invalid_grant')
  expect(await storedSession(first.store)).toEqual(before)
  expect((await second.client.refresh()).claims.gen).toBeUndefined()
})

describe('another page', () => {
  test('that has the older tokens in memory continues with the stored ones', async () => {
    const { first, second } = await twoTabs()
    await change(first)
    expect(await status(second)).toBe(200)
    expect(second.wire.count(TOKEN)).toBe(0)
    expect(second.client.session?.claims.gen).toBe(1)
    await second.client.account.changePassword(NEW_PASSWORD, GOOD_PASSWORD)
    await first.client.account.changePassword(GOOD_PASSWORD, NEW_PASSWORD)
    expect(first.client.session?.claims.gen).toBe(3)
  })

  test('that renews while the answer is on its way waits for it, and is not signed out', async () => {
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

  test('that signs out meanwhile ends it for both', async () => {
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

describe('a change of which no answer comes', () => {
  test('and that never arrived has changed nothing', async () => {
    const party = await signedUp(server)
    party.wire.on(CHANGE, lost)
    expect(await codeOf(change(party))).toBe('network')
    expect(await status(party)).toBe(200)
    party.wire.on(CHANGE, undefined)
    await change(party)
    expect(await status(party)).toBe(200)
  })

  test('and that was made: the next try says that it has ended, and the new password is good', async () => {
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

/** A store that fails to keep the session as long as it is told to. */
function unreliable(): { readonly store: ClientStore; isFull: boolean } {
  const store = memoryStore()
  const state = { store, isFull: false }
  const write = store.write.bind(store)
  store.write = (name, value) =>
    state.isFull && name === 'session' ? Promise.reject(new Error('full')) : write(name, value)
  return state
}

describe('a pair that has come and cannot be kept', () => {
  test('for want of room is kept by the next request', async () => {
    const state = unreliable()
    const party = await signedUp(server, { store: state.store })
    state.isFull = true
    await expect(change(party)).rejects.toThrow('full')
    state.isFull = false
    expect(await status(party)).toBe(200)
    expect(party.wire.count(TOKEN)).toBe(0)
    expect((await clientOf(server, { store: state.store }).client.resume())?.claims.gen).toBe(1)
  })

  test('is lost with the program', async () => {
    const state = unreliable()
    const party = await signedUp(server, { store: state.store })
    state.isFull = true
    await expect(change(party)).rejects.toThrow('full')
    state.isFull = false
    const restarted = clientOf(server, { store: state.store })
    expect(await restarted.client.resume()).toBeUndefined()
    expect(await storedSession(state.store)).toBeUndefined()
  })

  test('because its signing key is not to be had is opened when it is', async () => {
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

describe('an answer that is not what it should be', () => {
  test.each<[string, object, string]>([
    ['has no tokens', {}, 'bad_answer'],
    ['has one token', { access_token: 'x', token_type: 'Bearer' }, 'bad_answer'],
    ['has no type', { access_token: 'x', refresh_token: 'x', token_type: undefined }, 'bad_answer'],
    [
      'has tokens that are none',
      { access_token: 'x', refresh_token: 'x', token_type: 'Bearer' },
      'token_invalid',
    ],
  ])('%s', async (_, body, code) => {
    const party = await signedUp(server)
    party.wire.on(CHANGE, () => Promise.resolve(jsonResponse(body)))
    expect(await codeOf(change(party))).toBe(code)
    // It was not our server who answered: nothing has changed.
    expect(await status(party)).toBe(200)
    expect(party.wire.count(TOKEN)).toBe(0)
  })

  test('has the tokens of another session', async () => {
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
