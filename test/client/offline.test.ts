/** What works while the server is unreachable, and for how long. */
import { afterEach, describe, expect, test } from '@jest/globals'
import { AuthError, memoryStore } from '../../client/index.ts'
import { clientOf, codeOf, signedUp, startServer, storedSession } from '../support/auth-client.ts'
import { GOOD_PASSWORD, someEmail } from '../support/client.ts'
import type { TestServer } from '../support/server.ts'

const running: TestServer[] = []
afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.stop()))
})
/** A server that a test can stop early. */
async function start(changes: Parameters<typeof startServer>[0] = {}) {
  const server = await startServer({ accessTokenTtl: 7 * 86_400, ...changes })
  running.push(server)
  const stop = async () => {
    running.splice(running.indexOf(server), 1)
    await server.stop()
  }
  return { server, stop }
}

const DAY = 86_400

describe('while the server is away', () => {
  test('tokens are opened and verified with cached keys, for one day', async () => {
    const { server, stop } = await start()
    const { client, store } = await signedUp(server)
    const { jws, claims } = await client.accessToken()
    await stop()
    // A page that was open all the time, and a newly opened one.
    for (const page of [client, clientOf(server, { store }).client]) {
      expect((await page.accessToken()).claims).toEqual(claims)
      expect(await page.verify(jws)).toEqual(claims)
    }
    server.clock.advance(DAY - 1)
    const late = clientOf(server, { store }).client
    for (const page of [client, late]) {
      expect((await page.accessToken()).jws).toBe(jws)
      expect(await page.verify(jws)).toEqual(claims)
    }
    server.clock.advance(1)
    for (const page of [client, late]) {
      expect(await codeOf(page.accessToken())).toBe('keys_too_old')
      expect(await codeOf(page.verify(jws))).toBe('keys_too_old')
    }
    expect(await codeOf(clientOf(server, { store }).client.resume())).toBe('keys_too_old')
    expect(await storedSession(store)).toBeDefined()
  })

  test('`maxKeyAge` shortens that time', async () => {
    const { server, stop } = await start()
    const { client, store } = await signedUp(server)
    const { jws } = await client.accessToken()
    await stop()
    server.clock.advance(599)
    expect(await clientOf(server, { store, maxKeyAge: 600 }).client.verify(jws)).toBeDefined()
    server.clock.advance(1)
    const strict = clientOf(server, { store, maxKeyAge: 600 }).client
    expect(await codeOf(strict.verify(jws))).toBe('keys_too_old')
  })

  test('cached keys with a date in the future are not trusted', async () => {
    const { server, stop } = await start()
    const { client, store } = await signedUp(server)
    const { jws } = await client.accessToken()
    await stop()
    const past = () => server.clock() - 60_000
    expect(await codeOf(clientOf(server, { store, clock: past }).client.verify(jws))).toBe(
      'keys_too_old',
    )
  })

  test.each<[string, (copy: { value: Record<string, unknown> }) => unknown]>([
    ['missing', () => undefined],
    ['a string', () => 'server'],
    ['without a date', ({ value }) => ({ value })],
    ['without keys', ({ value, ...copy }) => ({ ...copy, value: { ...value, keys: undefined } })],
    ['without a value', (copy) => ({ ...copy, value: undefined })],
    ['of another issuer', ({ value, ...copy }) => ({ ...copy, value: { ...value, issuer: 'x' } })],
    [
      'with an unknown enc',
      ({ value, ...copy }) => ({ ...copy, value: { ...value, enc: 'none' } }),
    ],
    ['with a list as its enc', ({ value, ...copy }) => ({ ...copy, value: { ...value, enc: [] } })],
    [
      'with an object as its key type',
      ({ value, ...copy }) => ({ ...copy, value: { ...value, keyType: {} } }),
    ],
    [
      'with a string as its key type',
      ({ value, ...copy }) => ({ ...copy, value: { ...value, keyType: 'EC' } }),
    ],
  ])('cached keys that are damaged are ignored: %s', async (_name, change) => {
    const { server, stop } = await start()
    const { store } = await signedUp(server)
    await store.write('server', change((await store.read('server')) as never))
    await stop()
    const code = await codeOf(clientOf(server, { store }).client.accessToken())
    expect(code).toBe('network')
  })

  test('keys that cannot be stored are used all the same, until the next start', async () => {
    const { server, stop } = await start()
    const { store } = await signedUp(server)
    await store.write('server', undefined)
    const write = store.write.bind(store)
    store.write = (name, value) => {
      if (name !== 'server') return write(name, value)
      return Promise.reject(new AuthError('store_failed', 'The disk is full.'))
    }
    // Without it, the failure would count as that of a server that is away.
    const { client } = clientOf(server, { store, maxKeyAge: 0 })
    expect(await client.resume()).toBeDefined()
    await stop()
    expect((await client.accessToken()).claims.sub).toBe(client.session?.claims.sub)
    expect(await codeOf(clientOf(server, { store }).client.accessToken())).toBe('network')
  })

  test('a bug in a store is not taken for a full disk', async () => {
    const { server, stop } = await start()
    const store = memoryStore()
    store.write = () => Promise.reject(new RangeError('a bug'))
    const registering = clientOf(server, { store }).client.register()
    await expect(registering).rejects.toThrow(new RangeError('a bug'))
    await stop()
  })

  test('an expired token is refused as expired', async () => {
    const { server, stop } = await start({ accessTokenTtl: 60 })
    const { client } = await signedUp(server)
    const { jws } = await client.accessToken()
    await stop()
    server.clock.advance(60)
    expect(await codeOf(client.accessToken())).toBe('token_expired')
    expect(await codeOf(client.verify(jws))).toBe('token_expired')
  })

  test('nothing new can be started', async () => {
    const { server, stop } = await start()
    const { client, store } = await signedUp(server)
    await stop()
    const first = clientOf(server).client
    const person = { email: someEmail(), password: GOOD_PASSWORD }
    expect(await codeOf(first.register())).toBe('network')
    expect(await codeOf(first.signUp(person))).toBe('network')
    expect(await codeOf(first.signIn(person))).toBe('network')
    expect(await codeOf(first.configuration())).toBe('network')
    expect(await codeOf(first.verify('a.b.c'))).toBe('network')
    expect(await first.resume()).toBeUndefined()
    expect(await codeOf(client.fetch('/account'))).toBe('network')
    expect(await codeOf(client.account.requestPasswordReset(person.email))).toBe('network')
    expect(await codeOf(clientOf(server, { store }).client.resume())).toBe('network')
    expect(await codeOf(clientOf(server, { store }).client.vault())).toBe('network')
    expect(await storedSession(store)).toBeDefined()
    // A page that has been open keeps the vault's key in memory.
    expect(await (await client.vault()).names()).toEqual([])
  })

  test('a page resumes when the server is back', async () => {
    const { server } = await start()
    const { store, email, wire } = await signedUp(server)
    wire.isDown = true
    const page = clientOf(server, { store, fetch: wire.fetch }).client
    expect(await codeOf(page.resume())).toBe('network')
    expect(page.session?.account).toBeUndefined()
    wire.isDown = false
    expect((await page.resume())?.account?.email).toBe(email)
  })
})
