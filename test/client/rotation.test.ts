/** How the library reacts when the keys of a running server change. */
import { afterEach, describe, expect, test } from '@jest/globals'
import { decodeProtectedHeader } from 'jose'
import { generateKeyPair } from '../../server/keystore/key-pair.ts'
import {
  clientOf,
  codeOf,
  jsonResponse,
  refusedToken,
  rotatingKeystore,
  signedUp,
  startServer,
  storedSession,
  type Party,
} from '../support/auth-client.ts'
import { DEFAULTS } from '../keystore/fixtures.ts'
import { GOOD_PASSWORD } from '../support/client.ts'
import type { TestServer } from '../support/server.ts'

const NEW_PASSWORD = 'another brick in the wall'

const JWKS = 'GET /.well-known/jwks.json'
const ACCOUNT = 'GET /account'
const TOKEN = 'POST /token'

const running: TestServer[] = []
afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.stop()))
})

async function setUp() {
  const keys = await rotatingKeystore()
  const server = await startServer({}, { keystore: keys.keystore })
  running.push(server)
  const party = await signedUp(server)
  return { keys, server, party, ...party }
}

/** The same installation, restarted with cached keys that the server no longer has. */
async function withGoneKey(server: TestServer, { store }: Pick<Party, 'store'>) {
  const copy = (await store.read('server')) as { value: { keys: { use: string }[] } }
  const { publicJwk } = await generateKeyPair('enc', DEFAULTS)
  const keys = [publicJwk, ...copy.value.keys.filter(({ use }) => use === 'sig')]
  await store.write('server', { ...copy, value: { ...copy.value, keys } })
  return clientOf(server, { store })
}

const status = async ({ client }: Pick<Party, 'client'>) => (await client.fetch('/account')).status
/** The `kid` of the last token sent. */
const lastKid = ({ wire }: Pick<Party, 'wire'>) =>
  decodeProtectedHeader(wire.sent.at(-1)!.request.headers.get('authorization')!.slice(7)).kid

describe('a client with keys in its cache', () => {
  test('fetches them again after five minutes', async () => {
    const { party, server, wire } = await setUp()
    for (const seconds of [0, 100, 199]) {
      server.clock.advance(seconds)
      expect(await status(party)).toBe(200)
    }
    expect(wire.count(JWKS)).toBe(1)
    server.clock.advance(1)
    expect(await status(party)).toBe(200)
    expect(wire.count(JWKS)).toBe(2)
  })

  test('keeps working through a rotation with its cached keys', async () => {
    const { keys, party, wire } = await setUp()
    const before = keys.keystore.encryptionKey.kid
    await keys.rotate()
    expect(await status(party)).toBe(200)
    expect(lastKid(party)).toBe(before)
    expect([wire.count(JWKS), wire.count(ACCOUNT), wire.count(TOKEN)]).toEqual([1, 1, 0])
    await party.client.refresh()
    // Signed with what was the next key, which was already published: no fetch is needed.
    expect((await party.client.accessToken()).header['kid']).toBe(keys.keystore.signingKey.kid)
    expect(wire.count(JWKS)).toBe(1)
  })

  test('fetches the keys again for an unknown signing key', async () => {
    const { keys, party, wire } = await setUp()
    await keys.rotate()
    await keys.rotate()
    await party.client.refresh()
    expect((await party.client.accessToken()).header['kid']).toBe(keys.keystore.signingKey.kid)
    expect(wire.count(JWKS)).toBe(2)
    expect(await status(party)).toBe(200)
    expect(lastKid(party)).toBe(keys.keystore.encryptionKey.kid)
  })

  test('seals a token again when its key is gone', async () => {
    const { keys, party, server } = await setUp()
    const old = await withGoneKey(server, party)
    expect(await status(old)).toBe(200)
    expect(lastKid(old)).toBe(keys.keystore.encryptionKey.kid)
    const { wire } = old
    expect([wire.count(ACCOUNT), wire.count(JWKS), wire.count(TOKEN)]).toEqual([2, 1, 0])
    expect(await status(old)).toBe(200)
    expect(wire.count(ACCOUNT)).toBe(3)
  })

  test('seals a refresh token again when its key is gone', async () => {
    const { party, server } = await setUp()
    const old = await withGoneKey(server, party)
    const before = await storedSession(party.store)
    await old.client.refresh()
    expect([old.wire.count(TOKEN), old.wire.count(JWKS)]).toEqual([2, 1])
    expect((await storedSession(party.store))?.['refresh_token']).not.toBe(
      before?.['refresh_token'],
    )
    expect(await status(old)).toBe(200)
  })

  test('gives up when a token is refused with the new keys too', async () => {
    const { keys, party, wire } = await setUp()
    await keys.rotate()
    wire.on(ACCOUNT, () => Promise.resolve(refusedToken()))
    expect(await status(party)).toBe(401)
    expect([wire.count(ACCOUNT), wire.count(TOKEN)]).toEqual([3, 1])
  })

  test('ends the session when a refresh token is refused with the new keys too', async () => {
    const { keys, client, email, store, server, wire } = await setUp()
    const other = clientOf(server)
    await other.client.signIn({ email, password: GOOD_PASSWORD })
    await other.client.account.changePassword(GOOD_PASSWORD, NEW_PASSWORD)
    await keys.rotate()
    expect(await codeOf(client.refresh())).toBe('session_ended')
    expect(wire.count(TOKEN)).toBe(2)
    expect(await storedSession(store)).toBeUndefined()
  })

  test('keeps the session when the second try is a server error', async () => {
    const { keys, client, store, wire } = await setUp()
    await keys.rotate()
    const refusals = [
      jsonResponse({ error: 'server_error' }, 500),
      jsonResponse({ error: 'invalid_grant' }, 400),
    ]
    wire.on(TOKEN, () => Promise.resolve(refusals.pop()!))
    expect(await codeOf(client.refresh())).toBe('server_error')
    expect(await storedSession(store)).toBeDefined()
  })
})

test('a changed TOKEN_ENCRYPTION_ENC is used after a restart', async () => {
  const { keystore } = await rotatingKeystore()
  const first = await startServer({}, { keystore })
  running.push(first)
  const { client, store } = await signedUp(first)
  const changed = { ...DEFAULTS, encryptionEnc: 'A256CBC-HS512' } as const
  const { database, clock } = first
  const second = await startServer({ algorithms: changed }, { keystore, database, clock })
  running.unshift(second)
  // The same store, with the address of another process.
  const moved = clientOf(second, { store })
  const resumed = await moved.client.resume()
  expect(resumed).toEqual(client.session)
  const sealed = moved.wire.sent.at(-1)!.request.headers.get('authorization')!.slice(7)
  expect(decodeProtectedHeader(sealed).enc).toBe('A256CBC-HS512')
  await moved.client.refresh()
  const { jwe } = await moved.client.accessToken()
  expect(decodeProtectedHeader(jwe).enc).toBe('A256CBC-HS512')
})

describe('a server whose keys were all replaced', () => {
  test.each([
    // The token can still be opened here: the server is asked, and says that the session is over.
    ['at once', 0, 0],
    // The token cannot be verified at all. The next sign-in removes it.
    ['after the cached keys have expired', 600, 1],
  ])('signs out a client that restarts %s', async (_name, seconds, left) => {
    const { keys, server, store, client, email } = await setUp()
    await (await client.vault()).set('secret', 1)
    const sessionId = client.session!.sessionId
    await keys.regenerate()
    server.clock.advance(seconds)
    const restarted = clientOf(server, { store })
    expect(await restarted.client.resume()).toBeUndefined()
    expect(restarted.client.session).toBeUndefined()
    expect(await codeOf(restarted.client.fetch('/account'))).toBe('not_signed_in')
    expect(await store.vault(sessionId).ids()).toHaveLength(left)
    await restarted.client.signIn({ email, password: GOOD_PASSWORD })
    expect(await store.vault(sessionId).ids()).toEqual([])
  })

  test('signs out an open page, which can sign in again with the same key', async () => {
    const { keys, party, client, store, email } = await setUp()
    const { clientId } = client.session!
    await keys.regenerate()
    expect(await codeOf(client.fetch('/account'))).toBe('session_ended')
    expect(client.session).toBeUndefined()
    expect(await storedSession(store)).toBeUndefined()
    const session = await client.signIn({ email, password: GOOD_PASSWORD })
    expect(session.clientId).toBe(clientId)
    expect(await status(party)).toBe(200)
  })

  test('by another type gives the client a new key of that type', async () => {
    const { store, client, email } = await setUp()
    const { database, clock } = running[0]!
    const algorithms = { ...DEFAULTS, encryptionCrv: 'X25519' } as const
    const other = await startServer({ algorithms }, { database, clock })
    running.unshift(other)
    const moved = clientOf(other, { store })
    // The cached copy of the old metadata must expire first.
    clock.advance(300)
    expect(await moved.client.resume()).toBeUndefined()
    const session = await moved.client.signIn({ email, password: GOOD_PASSWORD })
    expect(session.clientId).not.toBe(client.session?.clientId)
    expect(await status(moved)).toBe(200)
  })
})
