/** The whole HTTP contract, as the library uses it in a Node program. */
import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { decodeProtectedHeader } from 'jose'
import { AuthClient } from '../../client/auth-client.ts'
import { fileStore } from '../../client/node.ts'
import { memoryStore } from '../../client/index.ts'
import type { ClientStore } from '../../client/stores/client-store.ts'
import { ENCRYPTION_ENCS, SIGNING_ALGS, type Algorithms } from '../../protocol/algorithms.ts'
import {
  clientOf,
  codeOf,
  errorOf,
  scratchFolder,
  signedUp,
  startServer,
  storedSession,
} from '../support/auth-client.ts'
import { GOOD_PASSWORD, someEmail } from '../support/client.ts'
import { sessionIdsOf } from '../support/database.ts'
import { PLAIN_PATH, plainRoute } from '../support/plain-route.ts'
import { SCOPED_PATH, scopedRoute } from '../support/scoped-route.ts'
import type { TestServer } from '../support/server.ts'
import { CHEAP_SCRYPT } from '../support/scrypt.ts'

const NEW_PASSWORD = 'another brick in the wall'
const passphrase = 'the passphrase of a program'

let server: TestServer
beforeAll(async () => {
  server = await startServer({}, { features: [plainRoute, scopedRoute] })
})
afterAll(() => server.stop())

const stores: [string, () => Promise<() => ClientStore>][] = [
  [
    'a memory store',
    () => {
      const store = memoryStore()
      return Promise.resolve(() => store)
    },
  ],
  [
    'a file store',
    async () => {
      const folder = await scratchFolder()
      return () => fileStore({ folder, passphrase, scryptCost: CHEAP_SCRYPT })
    },
  ],
]

describe.each(stores)('with %s', (_name, makeStore) => {
  /** Clients of one installation: each `start` is a restart of the program. */
  async function installation(where = server) {
    const open = await makeStore()
    return { start: () => clientOf(where, { store: open(), clientName: 'contract' }) }
  }

  test('registering again gives the same client', async () => {
    const { start } = await installation()
    const key = await start().client.register()
    expect(key.id).toMatch(/^[\w-]{43}$/)
    expect(key.privateKey.extractable).toBe(false)
    expect((await start().client.register()).id).toBe(key.id)
  })

  test('signing up signs the person in and notifies listeners once', async () => {
    const { client } = (await installation()).start()
    const email = someEmail()
    const changes: unknown[] = []
    client.onChange(() => changes.push(client.session?.account?.email))
    const session = await client.signUp({ email, password: GOOD_PASSWORD, name: 'Ada' })
    expect(session).toMatchObject({
      clientId: (await client.register()).id,
      account: { email, name: 'Ada', scope: 'user' },
      claims: { iss: server.config.issuer, aud: session.clientId, sid: session.sessionId },
    })
    expect(session.claims.sub).toBe(session.account?.id)
    expect(client.session).toEqual(session)
    expect(changes).toEqual([email])
    const again = client.signUp({ email: email.toUpperCase(), password: GOOD_PASSWORD })
    expect(await errorOf(again)).toMatchObject({ code: 'account_exists', status: 409 })
    expect(client.session).toEqual(session)
  })

  test('signing in needs the right password and replaces the previous session', async () => {
    const { client } = (await installation()).start()
    const email = someEmail()
    const first = await client.signUp({ email, password: GOOD_PASSWORD })
    for (const person of [
      { email, password: 'a wrong and winding road' },
      { email: someEmail(), password: GOOD_PASSWORD },
    ]) {
      const error = await errorOf(client.signIn(person))
      expect(error).toMatchObject({ code: 'invalid_grant', status: 401 })
      expect(error.requestId).toBeTruthy()
    }
    expect(client.session?.sessionId).toBe(first.sessionId)
    const second = await client.signIn({ email, password: GOOD_PASSWORD })
    expect(second.sessionId).not.toBe(first.sessionId)
    expect(second.account).toEqual(first.account)
    expect(await sessionIdsOf(server.database, second.account!.id)).toEqual([second.sessionId])
  })

  test('a restarted program finds its session and its vault', async () => {
    const { start } = await installation()
    const before = start()
    expect(await before.client.resume()).toBeUndefined()
    const session = await before.client.signUp({ email: someEmail(), password: GOOD_PASSWORD })
    await (await before.client.vault()).set('draft', { text: 'Dear diary' })
    const after = start()
    expect(after.client.session).toBeUndefined()
    expect(await after.client.resume()).toEqual(session)
    expect(await (await after.client.vault()).get('draft')).toEqual({ text: 'Dear diary' })
  })

  test('the first request finds the session even without resume()', async () => {
    const { start } = await installation()
    const session = await start().client.signUp({ email: someEmail(), password: GOOD_PASSWORD })
    const { client } = start()
    expect((await client.fetch('/account')).status).toBe(200)
    expect(client.session).toEqual({ ...session, account: undefined })
    expect(await client.vault()).toBeDefined()
    expect(client.session).toEqual(session)
  })

  test('a session that was ended elsewhere is not resumed, and its data is removed', async () => {
    const { start } = await installation()
    const { client, store } = start()
    const email = someEmail()
    const { sessionId } = await client.signUp({ email, password: GOOD_PASSWORD })
    await (await client.vault()).set('a', 1)
    const elsewhere = clientOf(server).client
    await elsewhere.signIn({ email, password: GOOD_PASSWORD })
    await elsewhere.account.changePassword(GOOD_PASSWORD, NEW_PASSWORD)
    const after = start()
    expect(await after.client.resume()).toBeUndefined()
    expect(await storedSession(store)).toBeUndefined()
    expect(await after.store.vault(sessionId).ids()).toEqual([])
    expect(await codeOf(after.client.fetch('/account'))).toBe('not_signed_in')
  })

  test('signing out ends the session on the server and on the client', async () => {
    const { start } = await installation()
    const { client, store } = start()
    const { sessionId } = await client.signUp({ email: someEmail(), password: GOOD_PASSWORD })
    await (await client.vault()).set('a', 1)
    const { jws } = await client.accessToken()
    expect(await client.signOut()).toBe(true)
    expect(client.session).toBeUndefined()
    expect(await storedSession(store)).toBeUndefined()
    expect(await store.vault(sessionId).ids()).toEqual([])
    expect(await codeOf(client.accessToken())).toBe('not_signed_in')
    expect(await codeOf(client.refresh())).toBe('not_signed_in')
    expect(await codeOf(client.vault())).toBe('not_signed_in')
    expect(await start().client.resume()).toBeUndefined()
    // Still signed by the server and not expired: only the server knows that the session is over.
    expect((await client.verify(jws)).sid).toBe(sessionId)
    expect(await client.signOut()).toBe(false)
  })

  test('removing the account takes its password and ends the session', async () => {
    const { start } = await installation()
    const { client, store } = start()
    const person = { email: someEmail(), password: GOOD_PASSWORD }
    await client.signUp(person)
    expect(await codeOf(client.account.remove('not the password'))).toBe('invalid_grant')
    expect(client.session).toBeDefined()
    await client.account.remove(GOOD_PASSWORD)
    expect(client.session).toBeUndefined()
    expect(await storedSession(store)).toBeUndefined()
    expect(await codeOf(client.signIn(person))).toBe('invalid_grant')
  })

  test('refreshing gives a new token of the same session', async () => {
    const { client, wire } = (await installation()).start()
    const session = await client.signUp({ email: someEmail(), password: GOOD_PASSWORD })
    const before = await client.accessToken()
    server.clock.advance(1)
    const renewed = await client.refresh()
    const after = await client.accessToken()
    expect(renewed.sessionId).toBe(session.sessionId)
    expect(renewed.account).toEqual(session.account)
    expect(after.claims.jti).not.toBe(before.claims.jti)
    expect(after.claims.iat).toBe(before.claims.iat + 1)
    expect(wire.count('POST /token')).toBe(1)
    expect((await client.fetch('/account')).status).toBe(200)
  })
})

describe('requests', () => {
  test('of every method, with and without a body, are bound to their method, URL and body', async () => {
    const { client, wire } = await signedUp(server)
    const paths = async (path: string, init?: RequestInit) =>
      (await client.fetch(path, init)).status
    const rename = { method: 'PATCH', headers: { 'content-type': 'application/json' } }
    expect(await paths('/account')).toBe(200)
    expect(await paths('/account?a=1&b=%20#there')).toBe(200)
    expect(await paths('/account', { method: 'HEAD' })).toBe(200)
    expect(await paths('/account', { ...rename, body: '{"name":"Zoë"}' })).toBe(200)
    const bytes = new TextEncoder().encode('{"name":"Bytes"}')
    expect(await paths('/account', { ...rename, body: bytes })).toBe(200)
    expect(await paths('/account', { ...rename, body: new Blob([bytes]) })).toBe(200)
    expect(await paths(PLAIN_PATH, { method: 'DELETE' })).toBe(200)
    // The route refuses this body, but the binding holds: the answer is 400, not 401.
    const binary = new Uint8Array([0, 255, 128, 13, 10])
    expect(await paths('/account', { ...rename, body: binary })).toBe(400)
    expect(await paths('/nowhere')).toBe(404)
    const bindings = wire.sent
      .map(({ request }) => request.headers.get('authorization'))
      .filter((value) => value !== null)
      .map((value) => decodeProtectedHeader(value.slice('Bearer '.length))['req'] as never)
    const sha256 = (data: string | Uint8Array) =>
      createHash('sha256').update(data).digest('base64url')
    const htu = `${server.config.issuer}/account`
    expect(bindings.slice(0, 4)).toMatchObject([
      { htm: 'GET', htu },
      { htm: 'GET', htu },
      { htm: 'HEAD', htu },
      { htm: 'PATCH', htu, dig: sha256('{"name":"Zoë"}') },
    ])
    expect(bindings[7]).toMatchObject({ dig: sha256(binary) })
    expect(bindings.filter((req) => 'dig' in req)).toHaveLength(4)
    expect(new Set(bindings.map(({ jti }) => jti)).size).toBe(bindings.length)
  })

  test('can be a path, a URL or a Request, and keep their headers', async () => {
    const { client, wire } = await signedUp(server)
    const url = `${server.url}/account`
    const body = '{"name":"As a request"}'
    const headers = { 'content-type': 'application/json', 'x-request-id': 'mine' }
    expect((await client.fetch(url)).status).toBe(200)
    expect((await client.fetch(new URL(url))).status).toBe(200)
    const request = new Request(url, { method: 'PATCH', headers, body })
    const response = await client.fetch(request)
    expect(response.status).toBe(200)
    expect(response.headers.get('x-request-id')).toBe('mine')
    expect(await response.json()).toMatchObject({ account: { name: 'As a request' } })
    const sent = wire.sent.at(-1)!.request
    expect([sent.credentials, sent.redirect]).toEqual(['omit', 'error'])
    expect(sent.headers.get('authorization')).toMatch(/^Bearer [\w.-]+$/)
  })

  test('never carry the same JWE twice, nor a bare JWS', async () => {
    const { client, wire } = await signedUp(server)
    await client.fetch('/account')
    await client.fetch('/account')
    const { jws } = await client.accessToken()
    const tokens = wire.sent.flatMap(({ request }) => request.headers.get('authorization') ?? [])
    expect(tokens).toHaveLength(2)
    expect(new Set(tokens).size).toBe(2)
    for (const token of tokens) {
      expect(token.split('.')).toHaveLength(5)
      expect(token).not.toContain(jws)
    }
  })

  test('without the required scope return the 403, without renewing', async () => {
    const { client, wire } = await signedUp(server)
    const response = await client.fetch(SCOPED_PATH)
    expect(response.status).toBe(403)
    expect(await response.json()).toMatchObject({ error: 'insufficient_scope' })
    expect(wire.count(`GET ${SCOPED_PATH}`)).toBe(1)
    expect(wire.count('POST /token')).toBe(0)
  })

  test("use an expiry time on the client's own clock", async () => {
    const clock = () => server.clock() + 600_000
    const { client } = await signedUp(server, { clock })
    expect(client.session?.expiresAt).toBe(clock() + server.config.accessTokenTtl * 1000)
  })

  test('reject with the abort reason when their caller aborts them', async () => {
    const { client } = await signedUp(server)
    const aborted = client.fetch('/account', { signal: AbortSignal.abort() })
    await expect(aborted).rejects.toMatchObject({ name: 'AbortError' })
    const reason = new Error('had enough')
    const given = client.fetch('/account', { signal: AbortSignal.abort(reason) })
    await expect(given).rejects.toBe(reason)
    expect(client.session).toBeDefined()
  })

  test('with a wrong password are not retried and do not renew', async () => {
    const { client, wire } = await signedUp(server)
    expect(await codeOf(client.account.changePassword('wrong', NEW_PASSWORD))).toBe('invalid_grant')
    expect(wire.count('PUT /account/password')).toBe(1)
    expect(wire.count('POST /token')).toBe(0)
  })
})

describe('the account', () => {
  test('can be read and renamed', async () => {
    const { client, store, email } = await signedUp(server)
    const { account, session_id, database_key } = await client.account.read()
    expect(account).toEqual(client.session?.account)
    expect(account.email).toBe(email)
    expect(session_id).toBe(client.session?.sessionId)
    expect(database_key).toMatch(/^[\w-]{43}$/)
    expect(JSON.stringify(await storedSession(store))).not.toContain(database_key)
    let changes = 0
    const stop = client.onChange(() => changes++)
    expect((await client.account.rename('Zoë')).name).toBe('Zoë')
    expect(client.session?.account?.name).toBe('Zoë')
    expect(changes).toBe(1)
    stop()
    await client.account.rename('Zoé')
    expect(changes).toBe(1)
    expect(await codeOf(client.account.rename(''.padEnd(10_000, 'x')))).toBe('invalid_request')
  })

  test('can be renamed before it was ever read', async () => {
    const { store } = await signedUp(server)
    const { client } = clientOf(server, { store })
    expect((await client.account.rename('Ida')).name).toBe('Ida')
    expect(client.session?.account).toBeUndefined()
  })

  test('changes its password, which ends every other session', async () => {
    const { client, email } = await signedUp(server)
    const other = clientOf(server)
    await other.client.signIn({ email, password: GOOD_PASSWORD })
    await client.account.changePassword(GOOD_PASSWORD, NEW_PASSWORD)
    expect((await client.fetch('/account')).status).toBe(200)
    expect(await codeOf(other.client.fetch('/account'))).toBe('session_ended')
    expect(await storedSession(other.store)).toBeUndefined()
    expect(await codeOf(other.client.signIn({ email, password: GOOD_PASSWORD }))).toBe(
      'invalid_grant',
    )
    await other.client.signIn({ email, password: NEW_PASSWORD })
    expect(await codeOf(client.account.changePassword(NEW_PASSWORD, 'short'))).toBe(
      'invalid_request',
    )
  })

  test('fetches its address before it derives a new password', async () => {
    const { store, email } = await signedUp(server)
    const addresses: string[] = []
    const derivePassword = (password: string, address: string) => {
      addresses.push(address)
      return Promise.resolve(password)
    }
    const { client } = clientOf(server, { store, derivePassword })
    await client.account.changePassword(GOOD_PASSWORD, NEW_PASSWORD)
    expect(addresses).toEqual([email, email])
  })
})

test('the configuration is encrypted for this client', async () => {
  const { client } = clientOf(server)
  const configuration = await client.configuration()
  expect(configuration).toMatchObject({
    iss: server.config.issuer,
    aud: (await client.register()).id,
  })
  expect(await client.configuration()).toMatchObject({ aud: configuration['aud'] })
})

test('a client that the server has removed registers again by itself', async () => {
  const own = await startServer({ unusedClientTtl: 3600 })
  try {
    const { client } = clientOf(own)
    const { aud } = await client.configuration()
    own.clock.advance(3600)
    expect(await client.configuration()).toMatchObject({ aud })
    own.clock.advance(3600)
    const session = await client.signUp({ email: someEmail(), password: GOOD_PASSWORD })
    expect(session.account?.email).toContain('@')
  } finally {
    await own.stop()
  }
})

test('every call works against a server that requires bound requests', async () => {
  const strict = await startServer({ requestBinding: 'required' })
  try {
    const { client, store, email } = await signedUp(strict)
    await client.account.rename('Bound')
    await client.refresh()
    expect(await clientOf(strict, { store }).client.resume()).toMatchObject({ account: { email } })
    await client.account.changePassword(GOOD_PASSWORD, NEW_PASSWORD)
    expect(await client.signOut()).toBe(true)
  } finally {
    await strict.stop()
  }
})

describe('algorithms', () => {
  const EC = { encryptionAlg: 'ECDH-ES+A128KW' } as const
  const kinds: Pick<Algorithms, 'encryptionAlg' | 'encryptionCrv'>[] = [
    { ...EC, encryptionCrv: 'P-256' },
    { ...EC, encryptionCrv: 'P-384' },
    { ...EC, encryptionCrv: 'P-521' },
    { ...EC, encryptionCrv: 'X25519' },
    { encryptionAlg: 'RSA-OAEP-256' },
    { encryptionAlg: 'ECDH-ES+A256KW', encryptionCrv: 'X25519' },
    { encryptionAlg: 'ECDH-ES', encryptionCrv: 'P-384' },
    { encryptionAlg: 'ECDH-ES', encryptionCrv: 'X25519' },
  ]
  // Every signing algorithm and every enc at least once, and every kind of key twice.
  const matrix = [0, 5].flatMap((shift) =>
    kinds.map((kind, index): Algorithms => ({
      ...kind,
      signingAlg: SIGNING_ALGS[(index + shift) % SIGNING_ALGS.length]!,
      encryptionEnc: ENCRYPTION_ENCS[(index + shift) % ENCRYPTION_ENCS.length]!,
    })),
  )

  test.each(matrix.map((algorithms) => [Object.values(algorithms).join(' '), algorithms] as const))(
    '%s',
    async (_name, algorithms) => {
      const other = await startServer({ algorithms })
      try {
        const folder = await scratchFolder()
        const store = () => fileStore({ folder, passphrase, scryptCost: CHEAP_SCRYPT })
        const { client, wire, email } = await signedUp(other, { store: store() })
        const { jwe, header } = await client.accessToken()
        expect(header['alg']).toBe(algorithms.signingAlg)
        expect(decodeProtectedHeader(jwe)).toMatchObject({
          alg: algorithms.encryptionAlg,
          enc: algorithms.encryptionEnc,
        })
        await client.account.rename('Matrix')
        const sealed = wire.sent.at(-1)!.request.headers.get('authorization')!.slice(7)
        expect(decodeProtectedHeader(sealed)).toMatchObject({
          alg: algorithms.encryptionAlg,
          enc: algorithms.encryptionEnc,
        })
        expect(await clientOf(other, { store: store() }).client.resume()).toMatchObject({
          account: { email, name: 'Matrix' },
        })
        await client.refresh()
        expect(await client.configuration()).toMatchObject({ iss: other.config.issuer })
        expect(await client.signOut()).toBe(true)
      } finally {
        await other.stop()
      }
    },
  )
})

test("the defaults are the system's clock and the platform's fetch", async () => {
  const today = await startServer(
    {},
    { clock: Object.assign(Date.now, { advance: () => undefined }) },
  )
  // Its issuer is the address that clients use, as on a real server.
  const named = await startServer({ issuer: today.url }, { clock: today.clock })
  try {
    const client = new AuthClient({ server: `${today.url}/`, store: memoryStore() })
    expect(await codeOf(client.register())).toBe('issuer_mismatch')
    const right = new AuthClient({
      server: named.url,
      issuer: today.url,
      store: memoryStore(),
    })
    const session = await right.signUp({ email: someEmail(), password: GOOD_PASSWORD })
    expect(Math.abs(session.claims.iat * 1000 - Date.now())).toBeLessThan(20_000)
    expect((await right.fetch('/account')).status).toBe(200)
  } finally {
    await Promise.all([today.stop(), named.stop()])
  }
})
