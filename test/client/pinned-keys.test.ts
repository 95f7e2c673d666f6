/** A client that knows the server's keys, and somebody on the way who hands out others. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { memoryStore } from '../../client/index.ts'
import { generateKeyPair } from '../../server/keystore/key-pair.ts'
import { createLine, ISSUER, startService } from '../resource-server/fixtures.ts'
import {
  clientOf,
  codeOf,
  errorOf,
  refusedToken,
  rotatingKeystore,
  signedUp,
  startServer,
  storedSession,
} from '../support/auth-client.ts'
import { DEFAULTS } from '../keystore/fixtures.ts'
import { GOOD_PASSWORD, someEmail } from '../support/client.ts'
import type { TestServer } from '../support/server.ts'

const METADATA = 'GET /.well-known/oauth-authorization-server'
const JWKS = 'GET /.well-known/jwks.json'
const ACCOUNT = 'GET /account'
const TOKEN = 'POST /token'

let keys: Awaited<ReturnType<typeof rotatingKeystore>>
let server: TestServer
/** Every published key: the current and the next one of each use. */
let pinnedKeys: string[]
beforeEach(async () => {
  keys = await rotatingKeystore()
  server = await startServer({}, { keystore: keys.keystore })
  pinnedKeys = published().map(({ kid }) => kid)
})
afterEach(() => server.stop())

const published = () => keys.keystore.jwks.keys as { kid: string; use: string }[]
const keyOf = async (use: 'sig' | 'enc') => (await generateKeyPair(use, DEFAULTS)).publicJwk
const person = () => ({ email: someEmail(), password: GOOD_PASSWORD })

test('works with the pinned keys, and through a rotation to the next ones', async () => {
  const { client, store } = await signedUp(server, { pinnedKeys })
  await keys.rotate()
  await client.refresh()
  server.clock.advance(300)
  expect((await client.fetch('/account')).status).toBe(200)
  expect((await client.accessToken()).header['kid']).toBe(keys.keystore.signingKey.kid)
  const { value } = (await store.read('server')) as { value: { keys: { kid: string }[] } }
  expect(value.keys.map(({ kid }) => kid).sort()).toEqual([...pinnedKeys].sort())
})

describe.each(['sig', 'enc'] as const)('a key of somebody else, use %s,', (use) => {
  test('before the pinned ones stops a sign-up, before anything is sent', async () => {
    const { client, wire, store } = clientOf(server, { pinnedKeys })
    wire.change(JWKS, { keys: [await keyOf(use), ...published()] })
    const error = await errorOf(client.signUp(person()))
    expect(error.code).toBe('key_not_pinned')
    expect(error.message).toBe(`A current key of ${server.url} is not in "pinnedKeys".`)
    expect(new Set(wire.sent.map(({ line }) => line))).toEqual(new Set([METADATA, JWKS]))
    expect(await store.read('server')).toBeUndefined()
  })

  test('in place of the pinned ones stops an open session, which stays', async () => {
    const { client, wire, store } = await signedUp(server, { pinnedKeys })
    const before = await storedSession(store)
    const others = published().filter((key) => key.use !== use)
    wire.change(JWKS, { keys: [await keyOf(use), ...others] })
    server.clock.advance(300)
    expect(await codeOf(client.fetch('/account'))).toBe('key_not_pinned')
    expect(await codeOf(client.refresh())).toBe('key_not_pinned')
    expect(
      await codeOf(clientOf(server, { pinnedKeys, store, fetch: wire.fetch }).client.resume()),
    ).toBe('key_not_pinned')
    expect([wire.count(ACCOUNT), wire.count(TOKEN)]).toEqual([0, 0])
    expect(await storedSession(store)).toEqual(before)
    wire.on(JWKS, undefined)
    expect((await client.fetch('/account')).status).toBe(200)
  })

  test('behind the pinned ones is not used', async () => {
    const { client, wire, store } = clientOf(server, { pinnedKeys })
    const key = await keyOf(use)
    wire.change(JWKS, { keys: [...published(), key] })
    await client.signUp(person())
    expect(JSON.stringify(await store.read('server'))).not.toContain(key.kid)
  })
})

test('a request that somebody refuses is not sealed to a key of theirs', async () => {
  const { client, wire } = await signedUp(server, { pinnedKeys })
  wire.change(JWKS, { keys: [await keyOf('enc'), ...published()] })
  wire.on(ACCOUNT, () => Promise.resolve(refusedToken()))
  expect(await codeOf(client.fetch('/account'))).toBe('key_not_pinned')
  expect(wire.count(ACCOUNT)).toBe(1)
})

test('keys that a client without pins has taken are not used', async () => {
  const store = memoryStore()
  const fooled = clientOf(server, { store })
  fooled.wire.change(JWKS, { keys: [await keyOf('enc'), ...published()] })
  const someone = person()
  await fooled.client.signUp(someone)
  const { client, wire } = clientOf(server, { store, pinnedKeys })
  expect((await client.resume())?.account?.email).toBe(someone.email)
  expect([wire.count(JWKS), wire.count(ACCOUNT)]).toEqual([1, 1])
})

test('a rotation past the pinned keys uses up no refresh token, and new pins end the wait', async () => {
  const { client, wire, store, email } = await signedUp(server, { pinnedKeys })
  await keys.rotate()
  await keys.rotate()
  server.clock.advance(300)
  expect(await codeOf(client.refresh())).toBe('key_not_pinned')
  expect(wire.count(TOKEN)).toBe(0)
  const updated = clientOf(server, { store, pinnedKeys: published().map(({ kid }) => kid) }).client
  expect((await updated.resume())?.account?.email).toBe(email)
  await updated.refresh()
})

test('an empty list allows no key', async () => {
  const { client } = clientOf(server, { pinnedKeys: [] })
  expect(await codeOf(client.register())).toBe('key_not_pinned')
})

test('the keys of services are their own', async () => {
  const auth = await startServer({ issuer: ISSUER }, { keystore: keys.keystore })
  const service = await startService({ clock: auth.clock, fetch: createLine(auth).fetch })
  try {
    const { client } = await signedUp(auth, { services: [service.url], pinnedKeys })
    expect((await client.fetch(`${service.url}/notes`)).status).toBe(200)
  } finally {
    await service.stop()
    await auth.stop()
  }
})
